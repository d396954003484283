// Pages of runs whose every text attacks the page, in a real browser: a Chromium that
// SOFTCOT_BROWSER names, or else the first on PATH.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <regex>

#include "evaluation/report.h"
#include "evaluation/study_page.h"
#include "launch/study/study_reader.h"
#include "support/child_process.h"
#include "support/files.h"
#include "support/fixtures.h"
#include "support/made_runs.h"

namespace softcot {
namespace {

namespace fs = std::filesystem;
using namespace test;  // NOLINT(google-build-using-namespace)
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kAttack = R"(</script><script>document.title='taken'</script>
<img src=x onerror="document.title='taken'"><svg onload="document.title='taken'"></svg>
" autofocus tabindex=0 onfocus="document.title='taken'" x=" ' onmouseover='document.title=1
</title></textarea></style></select></noscript></pre></code><script>document.title='taken'</script>
<iframe srcdoc="&lt;script&gt;parent.document.title='taken'&lt;/script&gt;"></iframe>
<base href=//taken><meta http-equiv=refresh content="0;url=data:text/html,taken"><link rel=taken>
&lt;script&gt;document.title='taken'&lt;/script&gt; &#60;b&#62; \u003cscript\u003e --><!-- <![CDATA[
<a href="javascript:document.title='taken'">taken</a><object data=taken><math><b>taken</b>)";

/// Empty where there is none.
std::string chromium() {
  if (const char* named = std::getenv("SOFTCOT_BROWSER")) return named;
  const std::string found =
      run_child({"sh", "-c",
                 "command -v chromium || command -v chromium-browser || command -v google-chrome"})
          .out;
  return found.substr(0, found.find('\n'));
}

class ReportBrowser : public ::testing::Test {
 protected:
  void SetUp() override {
    if (browser_.empty()) GTEST_SKIP() << "no Chromium: none on PATH, none in SOFTCOT_BROWSER";
    std::string line = kAttack;  // a configuration's values and a folder's name are one line
    std::erase(line, '\n');
    Made made = with({{"model.path", line.substr(0, line.find('#'))}});
    made.title = made.words = kAttack;
    make_run(run(), made);
  }

  fs::path run() const { return folder_.path() / "<b>run \" onclick='taken'"; }

  /// The page's elements and texts once its scripts have run.
  std::string shown(const std::string& page) {
    spill(folder_.path() / "page.html", page);
    const auto result =
        run_child({browser_, "--headless", "--no-sandbox", "--disable-gpu",
                   "--user-data-dir=" + (folder_.path() / "profile").string(), "--dump-dom",
                   "file://" + (folder_.path() / "page.html").string()});
    EXPECT_EQ(result.status, 0) << result.err;
    return result.out;
  }

  /// With the page's policy and without it: the policy stops a script that escaping let through,
  /// and shall have nothing to do.
  void expect_text_only(const std::string& page, const std::string& title, long scripts) {
    std::string bare = page;
    const std::size_t policy = bare.find("<meta http-equiv=\"Content-Security-Policy\"");
    ASSERT_NE(policy, std::string::npos);
    bare.erase(policy, bare.find('>', policy) + 1 - policy);
    for (const std::string& each : {page, bare}) {
      const std::string dom = shown(each);
      EXPECT_THAT(dom, AllOf(HasSubstr("<title>" + title + "</title>"),
                             HasSubstr("&lt;/script&gt;&lt;script&gt;document.title='taken'")));
      for (const char* tag : {"<img", "<svg", "<iframe", "<base", "<link", "<object", "<math",
                              "<b>run", "<b>taken", "refresh\""}) {
        EXPECT_THAT(dom, Not(HasSubstr(tag)));
      }
      EXPECT_FALSE(std::regex_search(dom, std::regex("<a [^>]*href=\"?javascript")));
      const std::regex script("<script");
      EXPECT_EQ(std::distance(std::sregex_iterator(dom.begin(), dom.end(), script), {}), scripts);
      const std::regex handler("<[a-z0-9]+(\\s+[a-z-]+(=\"[^\"]*\")?)*\\s+on[a-z]+=");
      EXPECT_FALSE(std::regex_search(dom, handler));
    }
  }

  const std::string browser_ = chromium();
  TemporaryFolder folder_;
};

TEST_F(ReportBrowser, SamplesRunTheirOwnScriptAndNoOther) {
  const std::string page = samples_page(read_study({run()}), 0);
  expect_text_only(page, "&lt;b&gt;run \" onclick='taken', samples – softcot", 1);
  EXPECT_THAT(shown(page), HasSubstr("<output>20 of 20 questions</output>"));
}

TEST_F(ReportBrowser, AReportRunsNone) {
  expect_text_only(study_page(read_study({run()}), "no-such-gnuplot"),
                   "&lt;b&gt;run \" onclick='taken' – softcot", 0);
}

TEST_F(ReportBrowser, TheReportOfOneRunRunsNone) {
  const std::string page = render_report(read_run(run()), {.gnuplot = "no-such-gnuplot"});
  expect_text_only(page, "&lt;b&gt;run \" onclick='taken' – softcot", 0);
}

}  // namespace
}  // namespace softcot
