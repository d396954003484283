#include "trainer/curriculum.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/error.h"

namespace softcot {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Curriculum, HidesStepByStepAndThenAll) {
  const Curriculum curriculum({});
  EXPECT_EQ(curriculum.last_stage(), 4);
  EXPECT_EQ(curriculum.hidden_steps(0, 5), 0);
  EXPECT_EQ(curriculum.hidden_steps(2, 5), 2);
  EXPECT_EQ(curriculum.hidden_steps(3, 2), 2);
  EXPECT_EQ(curriculum.hidden_steps(4, 5), 5);
  EXPECT_EQ(curriculum.latents(0), 0);
  EXPECT_EQ(curriculum.latents(2), 4);
  EXPECT_EQ(curriculum.latents(4), 6);
  EXPECT_TRUE(curriculum.has_markers());
}

/// The counts of get_cot_latent_dataset in the authors' dataset.py: stage, steps of the rationale,
/// pad_latent_to_max, steps that are skipped, latents.
struct OfficialCount {
  std::int64_t stage, steps;
  bool pad;
  std::int64_t hidden, latents;
};

TEST(Curriculum, EveryRowHasTheLatentsOfItsStage) {
  for (const OfficialCount& row : std::vector<OfficialCount>{{0, 1, true, 0, 0},
                                                             {1, 1, true, 1, 2},
                                                             {2, 1, true, 1, 4},
                                                             {3, 1, true, 1, 6},
                                                             {3, 2, false, 2, 6},
                                                             {3, 7, false, 3, 6},
                                                             {2, 0, false, 0, 4},
                                                             {4, 1, true, 1, 6},
                                                             {4, 7, true, 7, 6},
                                                             {4, 0, false, 0, 0},
                                                             {4, 1, false, 1, 2},
                                                             {4, 2, false, 2, 4},
                                                             {4, 7, false, 7, 6}}) {
    const Curriculum curriculum({.pad_latents = row.pad});
    SCOPED_TRACE(testing::Message()
                 << "stage " << row.stage << ", " << row.steps << " steps, pad " << row.pad);
    EXPECT_EQ(curriculum.hidden_steps(row.stage, row.steps), row.hidden);
    EXPECT_EQ(curriculum.latents(row.stage, row.steps), row.latents);
  }
  EXPECT_EQ(Curriculum({.latents_per_step = 5}).latents(1, 9), 5);
}

TEST(Curriculum, TrainingAndEvaluationCountAlikeByDefault) {
  for (const bool final_stage : {true, false}) {
    const Curriculum curriculum({.final_stage = final_stage});
    for (std::int64_t stage = 0; stage <= curriculum.last_stage(); ++stage) {
      for (std::int64_t steps = 0; steps < 6; ++steps) {
        EXPECT_EQ(curriculum.latents(stage, steps), curriculum.latents(stage))
            << stage << " " << steps;
      }
    }
  }
}

TEST(Curriculum, WithoutFinalStageOneStepMayStay) {
  const Curriculum curriculum({.max_stage = 2, .final_stage = false});
  EXPECT_EQ(curriculum.last_stage(), 2);
  EXPECT_EQ(curriculum.hidden_steps(2, 3), 2);
}

TEST(Curriculum, ScheduleEndsWithTheTraining) {
  // 3 epochs of 10 rows, 4 at a time: 7.5 steps, rounded.
  EXPECT_THAT(Curriculum({}).schedule(40, 10, 4),
              ElementsAre(Stage{0, 8}, Stage{1, 16}, Stage{2, 24}, Stage{3, 32}, Stage{4, 40}));
  EXPECT_THAT(
      Curriculum({.max_stage = 1, .final_stage = false, .steps_per_stage = 3}).schedule(100, 10, 4),
      ElementsAre(Stage{0, 3}, Stage{1, 100}));
}

TEST(Curriculum, StagesThatDoNotFitAreRefused) {
  try {
    Curriculum({}).schedule(32, 10, 4);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("more than 32 steps (4 stages of 8)"));
  }
}

TEST(Curriculum, Ablations) {
  const Curriculum no_curriculum({.variant = CoconutVariant::kNoCurriculum});
  EXPECT_THAT(no_curriculum.schedule(5, 10, 4), ElementsAre(Stage{4, 5}));
  const Curriculum no_thought({.variant = CoconutVariant::kNoThought});
  EXPECT_EQ(no_thought.latents(3), 0);
  EXPECT_EQ(no_thought.latents(3, 9), 0);
  EXPECT_EQ(no_thought.hidden_steps(3, 9), 3);
  EXPECT_FALSE(no_thought.has_markers());
  EXPECT_EQ(Curriculum({.variant = CoconutVariant::kPauseAsThought}).latents(3), 6);
}

}  // namespace
}  // namespace softcot
