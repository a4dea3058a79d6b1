#include "measure/health/message_totals.h"

#include <algorithm>
#include <set>
#include <utility>

namespace volumeter {
namespace {

using Sources = std::map<std::string, KernelLogCounts::Source>;  // what each has said so far

void add(KernelLogCounts::Source& to, const KernelLogCounts::Source& more) {
  for (std::size_t i = 0; i < kKernelMessageKinds; ++i) to.counts[i] += more.counts[i];
  to.last = std::max(to.last, more.last);
}

// A timeout names nvme0, whose namespaces are nvme0n1, ...; by one of several paths nvme0c1n1.
bool is_said_of(const std::string& name, const BlockDevice& block) {
  if (name == block.name) return true;
  if (!name.starts_with("nvme") || !block.disk.empty()) return false;
  if (name.find('n', 1) == std::string::npos) return block.name.starts_with(name + "n");
  const auto path = name.find('c');
  const auto space = name.rfind('n');
  return path != std::string::npos && path < space &&
         block.name == name.substr(0, path) + name.substr(space);
}

// A disk's name and number are reused.
std::string key_of(const BlockDevice& block) {
  return "disk " + block.name + " " + std::to_string(block.sequence);
}

KernelLogCounts::Source said_of(const BlockDevice& block, const KernelLogCounts& counts) {
  KernelLogCounts::Source all;
  for (const auto& [name, source] : counts.devices) {
    if (is_said_of(name, block)) add(all, source);
  }
  return all;
}

// As the kernel says it: an IPv6 address without brackets.
std::string server_of(const std::string& source) {
  std::string server = source.substr(0, source.find(":/"));
  if (server.starts_with('[') && server.ends_with(']')) {
    server = server.substr(1, server.size() - 2);
  }
  return server;
}

KernelLogCounts::Source find(const std::map<std::string, KernelLogCounts::Source>& all,
                             const std::string& name) {
  const auto it = all.find(name);
  return it == all.end() ? KernelLogCounts::Source{} : it->second;
}

class Attribution {
 public:
  Attribution(const Inventory& inventory, const KernelLogCounts& counts)
      : inventory_(inventory), counts_(counts) {
    for (const Subject& subject : inventory.subjects) {
      if (!subject.claim) continue;
      std::set<std::size_t> pods;
      for (const std::size_t i : subject.volumes) pods.insert(inventory.volumes[i].pod);
      for (const std::size_t pod : pods) ++claims_of_[pod];
    }
  }

  [[nodiscard]] std::vector<Sources> subjects() const {
    std::vector<Sources> all(inventory_.subjects.size());
    for (const Device& device : inventory_.devices) {
      if (device.sole_user) {
        all[*device.sole_user][key_of(device.block)] = said_of(device.block, counts_);
      }
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
      for (const std::size_t v : inventory_.subjects[i].volumes) {
        add_volume(inventory_.volumes[v], inventory_.subjects[i].claim.has_value(), all[i]);
      }
    }
    return all;
  }

 private:
  void add_volume(const Volume& volume, bool claimed, Sources& out) const {
    if (volume.mount && volume.mount->fstype.starts_with("nfs")) {
      const std::string server = server_of(volume.mount->source);
      out["server " + server] = find(counts_.servers, server);
    }
    // A task of the pod hangs: over its only claim, if it has one.
    const auto claims = claims_of_.find(volume.pod);
    const std::string& uid = inventory_.pods[volume.pod].uid;
    if (claimed && claims != claims_of_.end() && claims->second == 1) {
      out["pod " + uid] = find(counts_.pods, uid);
    }
  }

  const Inventory& inventory_;
  const KernelLogCounts& counts_;
  std::map<std::size_t, int> claims_of_;  // by pod
};

}  // namespace

void MessageTotals::follow(const std::shared_ptr<const Inventory>& inventory,
                           const KernelLogCounts& counts) {
  if (inventory_) update(counts);
  inventory_ = inventory;
  update(counts);
}

void MessageTotals::update(const KernelLogCounts& counts) {
  if (!inventory_) return;
  std::map<std::vector<std::string>, Total> now;
  const auto credit = [&](const Labels& labels, const Sources& sources) {
    if (sources.empty()) return;
    Total total;
    if (const auto before = totals_.find(*labels); before != totals_.end()) total = before->second;
    for (const auto& [name, said] : sources) {
      // What was said before it was this one's isn't about this one.
      KernelMessageCounts& seen = total.seen.try_emplace(name, said.counts).first->second;
      for (std::size_t i = 0; i < kKernelMessageKinds; ++i) {
        if (said.counts[i] > seen[i]) {
          total.sum.counts[i] += said.counts[i] - seen[i];
          total.sum.last = std::max(total.sum.last, said.last);
        }
      }
      seen = said.counts;
    }
    std::erase_if(total.seen, [&](const auto& entry) { return !sources.contains(entry.first); });
    now[*labels] = std::move(total);
  };
  const auto subjects = Attribution(*inventory_, counts).subjects();
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    if (!inventory_->subjects[i].hidden) credit(inventory_->subjects[i].labels, subjects[i]);
  }
  for (const Device& device : inventory_->devices) {
    if (device.sole_user || !device.used) continue;
    credit(device.labels, {{key_of(device.block), said_of(device.block, counts)}});
  }
  totals_ = std::move(now);
}

std::optional<KernelLogCounts::Source> MessageTotals::of(const Labels& labels) const {
  const auto it = totals_.find(*labels);
  return it == totals_.end() ? std::nullopt : std::optional(it->second.sum);
}

}  // namespace volumeter
