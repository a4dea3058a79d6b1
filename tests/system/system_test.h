// What the system tests share.
#pragma once

#include <gtest/gtest.h>

#include "measure/usage/deleted_scan.h"
#include "support/agent.h"
#include "support/api_server.h"
#include "support/node.h"

namespace volumeter::test {

// Skips, saying why, where real mounts can't be made.
class SystemTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = why_no_mounts()) GTEST_SKIP() << *why;
    node = std::make_unique<Node>();
  }

  std::vector<std::string> flags(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all = node->agent_flags();
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  // A tmpfs as the CSI volume `name` of pod `uid`; where it is mounted.
  std::string tmpfs_volume(const std::string& uid, const std::string& name) const {
    const std::string where = node->csi_dir(uid, name);
    Node::mount("tmpfs", where, "tmpfs", 0, "size=1m");
    return where;
  }

  std::unique_ptr<Node> node;
};

// Whether programs can be loaded and find their way around this kernel.
inline bool bpf_works() { return make_bpf_scan().ok(); }

// What du says of a tree, in bytes.
inline std::uint64_t du(const std::string& path, const std::string& more = "--block-size=1") {
  return std::stoull(run({"du", "-sx", "--block-size=1", more, path}).text);
}

// A series of a volume without names: pod and volume are directory names.
inline std::string pod_series(const std::string& metric, const std::string& uid,
                              const std::string& volume, const std::string& type = "csi",
                              const std::string& more = "") {
  return "volumeter_pod_volume_" + metric + "{namespace=\"\",pod=\"" + uid + "\",volume=\"" +
         volume + "\",type=\"" + type + "\"" + more + "}";
}

}  // namespace volumeter::test
