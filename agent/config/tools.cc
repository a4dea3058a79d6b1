#include "config/tools.h"

#include "volumeter/duration.h"
#include "volumeter/workload.h"

namespace volumeter {
namespace {

// "4k", "1M", "2GiB": to fio and here 1k is 1024.
CLI::Option* add_size(CLI::App& app, const std::string& name, std::optional<std::uint64_t>& value,
                      const std::string& help) {
  return app.add_option(name, value, help)
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::PositiveNumber);
}

}  // namespace

CLI::Option* add_duration(CLI::App& app, const std::string& name, std::chrono::milliseconds& value,
                          const std::string& shown, const std::string& help) {
  return app
      .add_option_function<std::string>(
          name, [](const std::string& /*given*/) {}, help)  // the check has taken it
      ->default_str(shown)
      ->check([&value](const std::string& given) {
        auto parsed = parse_duration(given);
        if (!parsed) return parsed.error().message;
        value = *parsed;
        return std::string();
      });
}

void add_du(CLI::App& app, DuOptions& options) {
  CLI::App* du = app.add_subcommand("du", "Add up the space that directories take, as du -x does");
  du->set_help_flag("--help", "Print this help message and exit");
  du->add_option("path", options.paths, "Directories")->required();
  du->add_flag("-x,--one-file-system")->description("Never leave a filesystem; always so");
  du->add_flag("-h,--human-readable", options.human, "Sizes like 1.5M");
  du->add_flag("-s,--summarize")->description("One line for each path: the same as -d 0");
  du->add_option("-d,--max-depth", options.max_depth, "Directories no deeper than this");
  du->add_option("-j,--threads", options.threads, "With -s: how many walk at a time (default: 1)")
      ->check(CLI::Range(1, 64));
  du->add_flag("--apparent-size", options.apparent, "How long files are, not what they take");
  du->add_option("--block-size", options.block_size, "Unit of the sizes in bytes (default: 1024)")
      ->check(CLI::PositiveNumber);
}

void finish_du(const CLI::App& app, DuOptions& options) {
  if (app.get_subcommand("du")->count("-s") > 0) options.max_depth = 0;
  if (options.threads > 1 && options.max_depth != 0) {
    throw CLI::ValidationError("--threads", "needs -s: several threads add up the total only");
  }
}

void add_bench(CLI::App& app, BenchOptions& options, std::string& output,
               const std::vector<std::string>& profiles) {
  CLI::App* bench = app.add_subcommand(
      "bench",
      "Benchmark a directory (in a file of its own that nobody sees) or a block device "
      "(reads only), as fio does");
  bench->add_option("path", options.path, "Directory or block device")->required();
  std::vector<std::string> allowed = profiles;
  allowed.emplace_back("all");
  bench
      ->add_option("-p,--profile", options.profiles,
                   "What to do, several with commas (default: all)")
      ->delimiter(',')
      ->check(CLI::IsMember(allowed));
  add_size(*bench, "--block-size", options.block_size,
           "Bytes of an operation: 4k, 1M (default: the profile's)");
  bench->add_option("--depth", options.depth, "Operations under way (default: the profile's)")
      ->check(CLI::Range(1, 1024));
  add_size(*bench, "--size", options.size,
           "Bytes of the file: 1G (default: 1 GiB, or a quarter of what is free)");
  bench->add_option("--rate", options.rate, "At most so many operations a second")
      ->check(CLI::PositiveNumber);
  add_duration(*bench, "--runtime", options.runtime, "10s", "How long each profile is measured");
  add_duration(*bench, "--ramp", options.ramp, "2s",
               "How long it runs before that; 1ms for next to nothing");
  bench->add_option("-o,--output", output, "table, or json in fio's layout")
      ->check(CLI::IsMember({"table", "json"}));
}

void add_check(CLI::App& app, CheckOptions& options, std::string& output) {
  CLI::App* check = app.add_subcommand(
      "check", "Is a directory's volume fit for a workload? Does what that one does, and says");
  check->add_option("path", options.path, "Directory")->required();
  check->add_option("--for", options.workload, "The workload")
      ->required()
      ->check(CLI::IsMember(workload_names()));
  add_duration(*check, "--runtime", options.runtime, "10s", "How long, for each of its thresholds");
  check->add_option("-o,--output", output, "table or json")
      ->check(CLI::IsMember({"table", "json"}));
}

}  // namespace volumeter
