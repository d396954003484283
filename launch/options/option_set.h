#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "launch/options/option.h"
#include "runtime/error.h"

namespace softcot {

/// Everything that is wrong with a command's options, and with what they name, found in one pass.
/// As an Error it is the first kUsage, or the first where there is none.
class OptionErrors : public Error {
 public:
  /// `problems` is not empty; without `codes` each is kUsage.
  explicit OptionErrors(std::vector<Problem> problems, std::vector<ExitCode> codes = {});
  const std::vector<Problem>& problems() const { return problems_; }
  /// One for each problem.
  const std::vector<ExitCode>& codes() const { return codes_; }

 private:
  std::vector<Problem> problems_;
  std::vector<ExitCode> codes_;
};

/// One value read from somewhere, not yet matched with an option.
struct Assignment {
  std::string name;
  std::string value;
  std::string origin;  ///< "configs/a.cfg:12", "SOFTCOT_TRAIN_BATCH", "command line".
};

/// One example of a command's help.
struct OptionExample {
  std::string line;     ///< "softcot train --config configs/quickstart.cfg"
  std::string meaning;  ///< "train as the file says"
};

/// The options of one command: variables of typed structs, each with a name, meaning and legal
/// values. `read` fills the structs from, in rising precedence, their own defaults, a config file
/// (--config, INI), the environment (SOFTCOT_SECTION_KEY) and the command line (--section.key
/// value). Local: every rank reads its own and comes to the same result.
class OptionSet {
 public:
  /// Adds the options --help and --config. `summary` is one sentence.
  OptionSet(std::string command, std::string summary);
  OptionSet(const OptionSet&) = delete;
  OptionSet& operator=(const OptionSet&) = delete;

  /// A section must be declared before its options.
  void add_section(const std::string& name, std::string help);
  /// A section without options: what files say there is for the command to read by itself.
  void add_foreign_section(const std::string& name);

  /// The default is what `*variable` holds now. What else is given is in option.h: a Range for
  /// numbers, Choices for enumerations. The reference stays valid: set `.unit`, `.required` on it.
  /// One that is not `.used` is still known to files and environment, and checked there, so that
  /// one file serves several commands; on the command line it is refused, and help and
  /// configuration leave it out.
  template <typename Variable, typename... Legal>
  Option& add(const std::string& name, Variable* variable, std::string help,
              const Legal&... legal) {
    return insert(name, bind(variable, legal...), std::move(help));
  }
  /// That of an option that is not used gives way to an option of its name.
  void add_alias(const std::string& alias, const std::string& name);
  /// The command's one argument without a name. Help shows `placeholder`: "PATH" as <PATH>.
  template <typename Variable>
  Option& add_argument(const std::string& placeholder, Variable* variable, std::string help) {
    argument_ = "<" + placeholder + ">";
    return insert(argument_, bind(variable), std::move(help));
  }
  /// Any number of arguments without a name. Help shows "<RUN>…".
  Option& add_arguments(const std::string& placeholder,
                        std::vector<std::filesystem::path>* variable, std::string help) {
    argument_ = "<" + placeholder + ">";
    several_arguments_ = true;
    return insert(argument_, bind_each(variable), std::move(help));
  }
  void add_example(std::string line, std::string meaning);
  /// Text of help's last paragraph: input and output of a tool that others script against.
  void set_notes(std::string notes) { notes_ = std::move(notes); }

  /// Fills the bound variables. Throws OptionErrors (kUsage) with every problem of every source;
  /// then the variables hold whatever was legal. With --help among the arguments nothing is
  /// required. `environment` holds NAME → value; only names that start with SOFTCOT_SECTION_ are
  /// looked at.
  void read(const std::vector<std::string>& arguments,
            const std::map<std::string, std::string>& environment);
  bool help_asked() const { return help_asked_; }
  /// `settle` is called at the end of `read`, unless something is wrong or help is asked for: it
  /// fills variables whose default depends on others. It may throw Error kUsage.
  void after_read(std::function<void()> settle) { settle_ = std::move(settle); }

  /// The value in force of each option that is used and has a section, as text, by full name.
  std::map<std::string, std::string> values() const;
  /// Those values as a config file that `read` takes back unchanged, each with its origin.
  std::string effective_config() const;
  /// The same for the same values, wherever they came from and on every machine.
  std::uint64_t values_hash() const;
  /// The config file that was read; empty if none was.
  const std::filesystem::path& config() const { return config_; }
  /// Throws std::out_of_range for a name that was never added.
  const std::string& origin(const std::string& name) const;
  /// Whether anything gave the option a value. Throws as `origin` does.
  bool given(const std::string& name) const;
  /// Gives an option that nothing gave a value another default, with its origin as the effective
  /// configuration shows it. Called once `read` has filled the variables. Throws std::logic_error
  /// for an unknown name or an illegal value.
  void set_default(const std::string& name, const std::string& value, const std::string& origin);

  // What help is made of.
  const std::string& command() const { return command_; }
  const std::string& summary() const { return summary_; }
  const std::string& notes() const { return notes_; }
  const std::string& argument() const { return argument_; }
  bool several_arguments() const { return several_arguments_; }
  const std::deque<Option>& options() const { return options_; }
  const std::vector<OptionExample>& examples() const { return examples_; }
  const std::map<std::string, std::string>& aliases() const { return aliases_; }
  struct Section {
    std::string name;
    std::string help;
    bool foreign = false;
  };
  const std::vector<Section>& sections() const { return sections_; }
  /// Whether any option of the section is used.
  bool uses(const Section& section) const;

  /// The option of this name or alias, underscores and dashes alike; nullptr when there is none.
  Option* find(const std::string& name);

 private:
  Option& insert(const std::string& name, Binding binding, std::string help);
  const Option& known(const std::string& name) const;
  /// False when the value is illegal, which is then among the problems.
  bool assign(const Assignment& assignment, std::vector<Problem>& problems);
  std::vector<std::string> known_names(bool on_command_line) const;
  Problem unknown_option(const std::string& name, const std::string& where,
                         bool on_command_line) const;
  /// Assignments in order of rising precedence. Problems of reading and unknown names are added.
  std::vector<Assignment> gather(const std::vector<std::string>& arguments,
                                 const std::map<std::string, std::string>& environment,
                                 std::vector<Problem>& problems);
  void check_name(const Assignment& assignment, bool on_command_line,
                  std::vector<Problem>& problems);

  std::string command_;
  std::string summary_;
  std::string notes_;
  std::string argument_;
  bool several_arguments_ = false;
  std::vector<Section> sections_;
  std::deque<Option> options_;
  std::map<std::string, std::string> aliases_;
  std::vector<OptionExample> examples_;
  std::function<void()> settle_;
  bool help_asked_ = false;
  std::filesystem::path config_;
  bool config_read_ = true;  // Or there is none.
};

/// The parts of this process's environment that begin with SOFTCOT_.
std::map<std::string, std::string> softcot_environment();

}  // namespace softcot
