#include "image/container.h"

#include <yaml-cpp/yaml.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <stdexcept>

namespace volumeter::test {
namespace {

using Json = nlohmann::json;

YAML::Node pod_of(const std::string& manifest) {
  for (const YAML::Node& document : YAML::LoadAllFromFile(manifest)) {
    if (document["kind"].as<std::string>("") == "DaemonSet") {
      return document["spec"]["template"]["spec"];
    }
  }
  throw std::runtime_error(manifest + " has no DaemonSet");
}

// What the kubelet puts for $(NODE_NAME).
std::string expanded(const std::string& argument) {
  return std::regex_replace(argument, std::regex(R"(\$\(NODE_NAME\))"), "node-1");
}

Json capabilities_of(const YAML::Node& context) {
  std::vector<std::string> names;
  for (const YAML::Node& name : context["capabilities"]["add"]) {
    names.push_back("CAP_" + name.as<std::string>());
  }
  return {{"bounding", names}, {"effective", names}, {"permitted", names}};
}

// hostPath volumes; a service account's token is the API's, and there is none.
Json mounts_of(const YAML::Node& pod, const YAML::Node& container, const std::string& directory) {
  Json mounts = Json::array({{{"destination", "/proc"}, {"type", "proc"}, {"source", "proc"}},
                             {{"destination", "/dev"},
                              {"type", "tmpfs"},
                              {"source", "tmpfs"},
                              {"options", {"nosuid", "mode=755"}}},
                             {{"destination", "/sys"},
                              {"type", "sysfs"},
                              {"source", "sysfs"},
                              {"options", {"nosuid", "noexec", "nodev", "ro"}}}});
  for (const YAML::Node& mount : container["volumeMounts"]) {
    for (const YAML::Node& volume : pod["volumes"]) {
      if (volume["name"].as<std::string>() != mount["name"].as<std::string>()) continue;
      std::string source = volume["hostPath"]["path"].as<std::string>();
      if (volume["hostPath"]["type"].as<std::string>("") == "DirectoryOrCreate") {
        source = directory + source;
        std::filesystem::create_directories(source);
      }
      std::vector<std::string> flags = {"rbind"};
      flags.emplace_back(mount["readOnly"].as<bool>(false) ? "ro" : "rw");
      const bool follows = mount["mountPropagation"].as<std::string>("") == "HostToContainer";
      flags.emplace_back(follows ? "rslave" : "rprivate");
      mounts.push_back({{"destination", mount["mountPath"].as<std::string>()},
                        {"type", "bind"},
                        {"source", source},
                        {"options", flags}});
    }
  }
  return mounts;
}

Json bundle_of(const Container::Options& options) {
  const YAML::Node pod = pod_of(options.manifest);
  const YAML::Node container = pod["containers"][0];
  const YAML::Node context = container["securityContext"];
  std::vector<std::string> arguments = options.entrypoint;
  for (const YAML::Node& argument : container["args"]) {
    arguments.push_back(expanded(argument.as<std::string>()));
  }
  arguments.insert(arguments.end(), options.more_flags.begin(), options.more_flags.end());
  Json namespaces = Json::array({{{"type", "mount"}}, {{"type", "ipc"}}, {{"type", "uts"}}});
  if (!pod["hostPID"].as<bool>(false)) namespaces.push_back({{"type", "pid"}});
  return {{"ociVersion", "1.0.0"},
          {"process",
           {{"args", arguments},
            {"cwd", "/"},
            {"env", {"PATH=/usr/bin"}},
            {"user", {{"uid", context["runAsUser"].as<int>()}, {"gid", 0}}},
            {"noNewPrivileges", !context["allowPrivilegeEscalation"].as<bool>(true)},
            {"capabilities", capabilities_of(context)}}},
          {"root",
           {{"path", options.rootfs}, {"readonly", context["readOnlyRootFilesystem"].as<bool>()}}},
          {"mounts", mounts_of(pod, container, options.directory)},
          {"linux", {{"namespaces", namespaces}, {"rootfsPropagation", "rslave"}}}};
}

}  // namespace

Container::Container(const Options& options)
    : name_("volumeter-test-" + std::to_string(::getpid())),
      state_(options.directory + "/runc"),
      log_path_(options.directory + "/log") {
  std::filesystem::create_directories(options.directory);
  std::ofstream(options.directory + "/config.json") << bundle_of(options).dump(1) << std::flush;
  Process::Options process;
  process.stderr_path = log_path_;
  process_ =
      std::make_unique<Process>(runc({"run", "--bundle", options.directory, name_}), process);
}

Container::~Container() {
  run(runc({"kill", name_, "TERM"}));
  process_->wait(10s);
  run(runc({"delete", "--force", name_}));
}

std::vector<std::string> Container::runc(const std::vector<std::string>& arguments) const {
  std::vector<std::string> all = {"runc", "--root", state_};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return all;
}

std::string Container::log() const { return read_all(log_path_); }

int Container::port(std::chrono::milliseconds limit) const {
  const std::regex listening(R"re(msg="?listening"? port="?(\d+))re");
  std::smatch found;
  std::string text;
  const bool says = eventually(
      [&] {
        text = log();
        return std::regex_search(text, found, listening);
      },
      limit);
  return says ? std::stoi(found[1]) : 0;
}

pid_t Container::pid() const {
  const Output state = run(runc({"state", name_}));
  return Json::parse(state.text)["pid"].get<pid_t>();
}

}  // namespace volumeter::test
