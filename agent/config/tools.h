// The subcommands that are tools of their own, without an agent's flags.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "config/config.h"

namespace volumeter {

// Each keeps references to `options`.
void add_du(CLI::App& app, DuOptions& options);
void add_bench(CLI::App& app, BenchOptions& options, std::string& output,
               const std::vector<std::string>& profiles);
void add_check(CLI::App& app, CheckOptions& options, std::string& output);

// After parsing: what can't be checked flag by flag. Throws CLI::ValidationError.
void finish_du(const CLI::App& app, DuOptions& options);

// Takes "10s" as its argument.
CLI::Option* add_duration(CLI::App& app, const std::string& name, std::chrono::milliseconds& value,
                          const std::string& shown, const std::string& help);

}  // namespace volumeter
