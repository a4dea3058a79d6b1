// Nobody is written to who didn't agree: counted at the block device.
#include <thread>
#include <utility>

#include "probe_fixture.h"

namespace volumeter::test {
namespace {

class ConsentTest : public ProbeTest {
 protected:
  // So many intervals of an agent that probes each second; an hour has 360 of its own.
  static constexpr auto kCompressedHour = 12s;

  // A claim that is idle on the disk, too.
  void quiet_claim(const std::string& name, const std::string& annotations) {
    probed(name, "ext4", annotations);
    disks.push_back(device);
  }
  std::vector<std::uint64_t> written() const {
    std::vector<std::uint64_t> sectors;
    for (const std::string& disk : disks) sectors.push_back(written_sectors(disk));
    return sectors;
  }

  std::vector<std::string> disks;
};

TEST_F(ConsentTest, WithoutItNotOneWrite) {
  quiet_claim("silent", "");
  quiet_claim("no", R"("volumeter.io/probe":"off")");
  quiet_claim("typo", R"("volumeter.io/probe":"yes please")");
  quiet_claim("read-only", R"("volumeter.io/probe":"read-only")");
  probed("willing", "ext4");
  start();
  must_run({"sync"});
  // ext4 initialises its inode tables late, for a while.
  ASSERT_TRUE(eventually(
      [&, last = written()]() mutable {
        std::this_thread::sleep_for(3s);
        return std::exchange(last, written()) == last;
      },
      120s));
  const auto before = written();
  const double pulses = writes("willing");
  ASSERT_TRUE(eventually([&] { return writes("willing") >= pulses + 10; }, 60s));
  std::this_thread::sleep_for(kCompressedHour);
  EXPECT_EQ(written(), before);
  EXPECT_NE(agent->log().find("yes please"), std::string::npos) << "nobody was told";
  for (const std::string name : {"silent", "no", "typo"}) {
    EXPECT_FALSE(has("probe_missed_total", name)) << name;
  }
}

TEST_F(ConsentTest, OffIsOffWhateverIsAnnotated) {
  probed("willing", "ext4");
  start({"--probe.mode=off"});
  must_run({"sync"});
  std::this_thread::sleep_for(5s);
  EXPECT_FALSE(has("probe_missed_total", "willing"));
  for (const pid_t pid : process_tree(agent->pid())) {
    std::ifstream command("/proc/" + std::to_string(pid) + "/cmdline");
    std::string text;
    std::getline(command, text);
    EXPECT_EQ(text.find("probing"), std::string::npos);
  }
}

TEST_F(ConsentTest, AutoAsksNobodyButHeedsARefusal) {
  probed("silent", "ext4", "");
  probed("no", "ext4", R"("volumeter.io/probe":"off")");
  start({"--probe.mode=auto"});
  EXPECT_TRUE(eventually([&] { return writes("silent") >= 2; })) << agent->log();
  EXPECT_FALSE(has("probe_missed_total", "no"));
  EXPECT_NE(agent->log().find(R"(volume="shop/silent" asked_by="--probe.mode=auto")"),
            std::string::npos)
      << agent->log();
}

// A refusal that can't be read is none the less one.
TEST_F(ConsentTest, WhoCannotBeAskedHasNotAgreed) {
  probed("secret", "ext4", R"("volumeter.io/probe":"off")");
  api->answer_with("/api/v1/namespaces/shop/persistentvolumeclaims/secret", 403, "{}");
  start({"--probe.mode=auto"});
  std::this_thread::sleep_for(5s);
  EXPECT_EQ(agent->get("/metrics").body.find("volumeter_probe_"), std::string::npos)
      << agent->log();
}

TEST_F(ConsentTest, DfAsksNoVolume) {
  probed("db", "ext4");
  StallFs hung(node->csi_dir("u-db", "hung"));  // so that df has to wait
  hung.hold("all");
  must_run({"sync"});
  ASSERT_TRUE(eventually(
      [&, last = written_sectors(device)]() mutable {
        std::this_thread::sleep_for(3s);
        return std::exchange(last, written_sectors(device)) == last;
      },
      120s));
  const auto before = written_sectors(device);
  std::vector<std::string> command = {VOLUMETER_PATH, "df"};
  for (const std::string& flag : flags({"--kube.api-url=" + api->url(), "--probe.interval=1s"})) {
    command.push_back(flag);
  }
  for (int i = 0; i < 5; ++i) EXPECT_EQ(run(command).code, 0);
  EXPECT_EQ(written_sectors(device), before);
}

TEST_F(ConsentTest, CanBeGivenAndTakenBackWhileItRuns) {
  probed("db", "ext4", "");
  start();
  EXPECT_FALSE(has("probe_missed_total", "db"));
  // The pod's annotations are watched; a claim's are asked for again now and then.
  const auto annotate = [&](const std::string& value) {
    std::string pod = pod_json("shop", "db", "u-db", claim_volume_json("data", "db"));
    pod.insert(pod.find("\"namespace\""),
               R"("annotations":{"volumeter.io/probe":")" + value + R"("},)");
    api->set_pod("u-db", pod);
  };
  annotate("on");
  EXPECT_TRUE(eventually([&] { return writes("db") >= 2; })) << agent->log();
  EXPECT_NE(agent->log().find(R"(msg="probing starts" volume="shop/db" asked_by="Pod")"),
            std::string::npos)
      << agent->log();
  annotate("off");
  EXPECT_TRUE(eventually([&] { return !has("probe_missed_total", "db"); }));
  EXPECT_NE(agent->log().find(R"(msg="probing stops" volume="shop/db")"), std::string::npos)
      << agent->log();
}

}  // namespace
}  // namespace volumeter::test
