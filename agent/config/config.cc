#include "config/config.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <map>

#include "config/tools.h"
#include "volumeter/version.h"

namespace volumeter {
namespace {

constexpr const char* kServiceAccount = "/var/run/secrets/kubernetes.io/serviceaccount/";

// In a pod, the API server is where the kubelet's environment variables say.
std::string in_cluster_url() {
  const char* host = std::getenv("KUBERNETES_SERVICE_HOST");
  const char* port = std::getenv("KUBERNETES_SERVICE_PORT");
  if (host == nullptr || port == nullptr) return {};
  const std::string address = host;
  const bool ipv6 = address.find(':') != std::string::npos;
  return "https://" + (ipv6 ? "[" + address + "]" : address) + ":" + port;
}

class Parser {
 public:
  Parser(const std::vector<std::string>& measurers, const std::vector<std::string>& profiles)
      : app_("", "volumeter") {
    app_.description("volumeter: how full, how fast and how healthy each volume of this node is");
    app_.set_version_flag("--version",
                          std::string("volumeter ") + kVersion + " (" + kRevision + ")");
    app_.require_subcommand(1);
    app_.fallthrough();
    app_.allow_config_extras(CLI::config_extras_mode::error);
    app_.set_config("--config.file", "", "Read flags from this file, as lines of flag=value");
    app_.get_config_formatter_base()->parentSeparator('/');
    app_.add_subcommand("agent", "Serve metrics, the status page and JSON over HTTP");
    CLI::App* df = app_.add_subcommand("df", "Print this node's volumes and how full they are");
    df->add_option("-o,--output", output_, "table, wide or json")
        ->check(CLI::IsMember({"table", "wide", "json"}));
    add_du(app_, config_.du);
    add_bench(app_, config_.bench, output_, profiles);
    add_check(app_, config_.check, output_);
    host_flags();
    web_flags();
    measure_flags(measurers);
    kube_flags();
    log_flags();
  }

  ParsedConfig parse(int argc, const char* const* argv) {
    ParsedConfig out;
    try {
      app_.parse(with_environment({argv + 1, argv + argc}));
      out.config = finish();
    } catch (const CLI::RequiredError& error) {
      if (!app_.get_subcommands().empty()) {  // what is missing is the subcommand's
        out.message = std::string(error.what()) + "\nRun with --help for more information.\n";
        out.exit_code = 2;
        out.exit = true;
        return out;
      }
      const auto given = app_.remaining();
      out.message = given.empty() ? "a subcommand is required"
                                  : "\"" + given.front() + "\" is not a subcommand";
      out.message += ": agent, df, du, bench or check\nRun with --help for more information.\n";
      out.exit_code = 2;
    } catch (const CLI::ParseError& error) {
      std::ostringstream text;
      out.exit_code = app_.exit(error, text, text) == 0 ? 0 : 2;
      out.message = text.str();
    }
    out.exit = !out.message.empty();
    return out;
  }

  [[nodiscard]] std::vector<std::string> names() const { return names_; }

  [[nodiscard]] std::string reference() const {
    std::string out = "## Flags of `agent` and `df`\n\n" + table_of(app_, true);
    for (const CLI::App* command : app_.get_subcommands([](const CLI::App*) { return true; })) {
      const std::string table = table_of(*command, false);
      if (table.empty()) continue;
      out += "\n## Options of `" + command->get_name() + "`\n\n" + command->get_description() +
             ".\n\n" + table;
    }
    return out;
  }

 private:
  // The environment stands between the command line and the config file, which CLI11 would read
  // first; and a wrong value there is as wrong as one given by hand. Last argument first, as
  // CLI11 wants it.
  std::vector<std::string> with_environment(std::vector<std::string> arguments) const {
    for (const std::string& name : names_) {
      const char* value = std::getenv(environment_name(name).c_str());
      const auto given = [&](const std::string& argument) {
        return argument == name || argument.starts_with(name + "=") ||
               argument == "--no-" + name.substr(2);
      };
      if (value == nullptr || std::any_of(arguments.begin(), arguments.end(), given)) continue;
      arguments.push_back(name + "=" + value);
    }
    std::reverse(arguments.begin(), arguments.end());
    return arguments;
  }

  static std::string default_of(const CLI::Option& option) {
    if (!option.get_fnames().empty()) return "`true`";
    std::string text = option.get_default_str();
    if (text.starts_with('[')) text = text.substr(1, text.size() - 2);  // of a list
    return text.empty() || text == "\"\"" ? "–" : "`" + text + "`";
  }

  static std::string table_of(const CLI::App& app, bool environment) {
    std::string rows;
    for (const CLI::Option* option : app.get_options()) {
      const auto& names = option->get_lnames();
      if (!names.empty() && (names.front() == "help" || names.front() == "version")) continue;
      std::string shown = names.empty() ? option->get_name(true) : "";
      for (const std::string& name : option->get_snames()) shown += "-" + name + ", ";
      if (!names.empty()) {
        shown += (option->get_fnames().empty() ? "--" : "--[no-]") + names.front();
      }
      rows += "| `" + shown + "` | ";
      if (environment) {
        const bool has = names.front() != "config.file";
        rows += (has ? "`" + environment_name("--" + names.front()) + "`" : "–") + " | ";
      }
      rows += default_of(*option) + " | " + option->get_description() + " |\n";
    }
    if (rows.empty()) return rows;
    return (environment ? "| flag | environment | default | meaning |\n| --- | --- | --- | --- |\n"
                        : "| option | default | meaning |\n| --- | --- | --- |\n") +
           rows;
  }

  template <class T>
  CLI::Option* flag(const std::string& name, T& value, const std::string& help) {
    names_.push_back("--" + name);
    return app_.add_option("--" + name, value, help)->capture_default_str();
  }

  void duration(const std::string& name, std::chrono::milliseconds& value, const std::string& shown,
                const std::string& help) {
    names_.push_back("--" + name);
    add_duration(app_, "--" + name, value, shown, help);
  }

  void host_flags() {
    flag("path.procfs", config_.host.procfs, "Where the host's /proc is mounted");
    flag("path.sysfs", config_.host.sysfs, "Where the host's /sys is mounted");
    flag("path.rootfs", config_.host.rootfs,
         "Where the host's root is mounted (in a container with HostToContainer)");
    flag("path.kubelet", config_.host.kubelet,
         "The kubelet's directory on the host (default: found from the mount table)");
  }

  void web_flags() {
    flag("web.listen-address", config_.listen, "Address to listen on; repeatable");
    flag("web.telemetry-path", config_.telemetry_path, "Path of the metrics");
    flag("web.config.file", config_.web_config_file,
         "TLS and basic authentication, in exporter-toolkit's format");
    app_.add_flag("--web.pages,!--no-web.pages", config_.web_pages,
                  "Serve the status page, its table and the JSON, not metrics and health only");
    names_.emplace_back("--web.pages");
  }

  void measure_flags(const std::vector<std::string>& measurers) {
    duration("interval", config_.interval, "15s", "How often volumes are measured");
    duration("stale-after", config_.stale_after, "10m",
             "How long a volume that can't be measured keeps its last values");
    duration(
        "worker.deadline", config_.worker_deadline, "2s",
        "How long a call on a volume may sleep in the kernel before the volume counts as hung");
    duration(
        "usage.walk-interval", config_.walk_interval, "5m",
        "How often directories that share a filesystem are walked, as far as the budget allows");
    names_.push_back("--usage.walk");
    app_.add_flag("--usage.walk,!--no-usage.walk", config_.walk,
                  "Walk directories that share a filesystem and have no quota (default: on)");
    names_.push_back("--usage.deleted-open");
    app_.add_flag("--usage.deleted-open,!--no-usage.deleted-open", config_.deleted_open,
                  "Count what deleted files hold that are still open (default: on)");
    probe_flags();
    flag("latency.operations", operations_,
         "Calls to time as applications wait for them: sync, or all (reads and writes, too; each "
         "one on the node pays for it)")
        ->check(CLI::IsMember({"sync", "all"}));
    duration("health.orphans-after", config_.orphans_after, "5m",
             "How long something has been left behind on the node before it is reported");
    flag("state.dir", config_.state_dir,
         "Keep results of walks in this directory, over restarts of the agent");
    for (const std::string& name : measurers) {
      names_.push_back("--measure." + name);
      auto& on = enabled_[name] = true;
      app_.add_flag("--measure." + name + ",!--no-measure." + name, on,
                    "Measure " + name + " (default: on)");
    }
    names_.push_back("--metrics.all-volumes");
    app_.add_flag("--metrics.all-volumes", config_.all_volumes,
                  "Export volumes of ConfigMaps, Secrets, projected and downward API too");
  }

  void probe_flags() {
    flag("probe.mode", probing_,
         "Which volumes to probe with I/O of our own: annotated (volumeter.io/probe), auto (claims "
         "with a filesystem of their own, too), or off")
        ->check(CLI::IsMember({"annotated", "auto", "off"}));
    duration("probe.interval", config_.probe_interval, "10s",
             "How often a volume is probed, unless it is annotated otherwise; 1s or more");
    duration("probe.burst-interval", config_.burst_interval, "15m",
             "How often a volume annotated with volumeter.io/burst has a burst");
  }

  void kube_flags() {
    config_.api_url = in_cluster_url();
    if (!config_.api_url.empty()) {
      config_.token_file = std::string(kServiceAccount) + "token";
      config_.ca_file = std::string(kServiceAccount) + "ca.crt";
      if (auto own = read_file(std::string(kServiceAccount) + "namespace")) {
        config_.lease_namespace = *own;
      }
    }
    flag("kube.api-url", config_.api_url, "URL of the API server (default: the pod's environment)");
    flag("kube.token-file", config_.token_file, "Bearer token for the API server");
    flag("kube.ca-file", config_.ca_file, "CA certificate of the API server");
    flag("kube.node-name", config_.node_name, "This node's name (default: the host's name)");
    flag("kube.lease-namespace", config_.lease_namespace,
         "Where to keep the Leases by which one node walks a network share that was annotated for "
         "it (default: the pod's own)");
    flag("kube.kubelet-url", config_.kubelet_url,
         "Ask this kubelet for the node's pods instead of the API server; needs nodes/pods "
         "(https://127.0.0.1:10250)");
    names_.push_back("--kube.kubelet-insecure-tls");
    app_.add_flag("--kube.kubelet-insecure-tls", config_.kubelet_insecure_tls,
                  "Don't verify the kubelet's certificate, which is self-signed by default");
  }

  void log_flags() {
    flag("log.level", log_level_, "debug, info, warn or error")
        ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
    flag("log.format", log_format_, "logfmt or json")->check(CLI::IsMember({"logfmt", "json"}));
    flag("audit.log", config_.audit_log,
         "File for a line on whatever is about to be written to a volume (default: standard error; "
         "with -o json the system's log)");
  }

  static void check_url(const std::string& flag, std::string& url) {
    while (url.ends_with('/')) url.pop_back();
    if (url.empty() || url.starts_with("https://") || url.starts_with("http://")) return;
    throw CLI::ValidationError(flag, "\"" + url + "\" must begin with https:// or http://");
  }

  Config finish() {
    config_.command = app_.get_subcommands().front()->get_name();
    finish_du(app_, config_.du);
    static const std::map<std::string, LogLevel> kLevels = {{"debug", LogLevel::kDebug},
                                                            {"info", LogLevel::kInfo},
                                                            {"warn", LogLevel::kWarn},
                                                            {"error", LogLevel::kError}};
    config_.log_level = kLevels.at(log_level_);
    config_.probing = probing_ == "off"    ? Probing::kOff
                      : probing_ == "auto" ? Probing::kAuto
                                           : Probing::kAnnotated;
    config_.latency_of_all = operations_ == "all";
    config_.log_format = log_format_ == "json" ? LogFormat::kJson : LogFormat::kLogfmt;
    config_.output = output_ == "json"   ? Output::kJson
                     : output_ == "wide" ? Output::kWide
                                         : Output::kTable;
    for (const auto& [name, on] : enabled_) {
      if (!on) config_.disabled_measurers.insert(name);
    }
    while (config_.host.rootfs.size() > 1 && config_.host.rootfs.ends_with('/')) {
      config_.host.rootfs.pop_back();
    }
    if (!config_.telemetry_path.starts_with('/')) {
      throw CLI::ValidationError("--web.telemetry-path", "must begin with /");
    }
    check_url("--kube.api-url", config_.api_url);
    check_url("--kube.kubelet-url", config_.kubelet_url);
    if (config_.probe_interval < std::chrono::seconds(1) ||
        config_.probe_interval > std::chrono::hours(24)) {
      throw CLI::ValidationError("--probe.interval", "must be 1s or more, and 1d or less");
    }
    if (config_.worker_deadline >= config_.interval) {
      throw CLI::ValidationError("--worker.deadline", "must be shorter than --interval");
    }
    return config_;
  }

  CLI::App app_;
  Config config_;
  std::vector<std::string> names_;
  std::map<std::string, bool> enabled_;
  std::string log_level_ = "info";
  std::string probing_ = "annotated";
  std::string operations_ = "sync";
  std::string log_format_ = "logfmt";
  std::string output_ = "table";
};

}  // namespace

std::string environment_name(const std::string& flag) {
  std::string name = "VOLUMETER_";
  for (const char c : flag.substr(2)) {
    name += std::isalnum(static_cast<unsigned char>(c)) != 0
                ? static_cast<char>(std::toupper(static_cast<unsigned char>(c)))
                : '_';
  }
  return name;
}

std::vector<std::string> flag_names(const std::vector<std::string>& measurers) {
  std::vector<std::string> names = Parser(measurers, {}).names();
  names.emplace_back("--config.file");
  return names;
}

std::string flag_reference(const std::vector<std::string>& measurers,
                           const std::vector<std::string>& profiles) {
  return Parser(measurers, profiles).reference();
}

ParsedConfig parse_config(int argc, const char* const* argv,
                          const std::vector<std::string>& measurers,
                          const std::vector<std::string>& profiles) {
  return Parser(measurers, profiles).parse(argc, argv);
}

}  // namespace volumeter
