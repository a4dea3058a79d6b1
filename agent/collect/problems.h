// How a failed measurement is told: a label value, and a sentence.
#pragma once

#include <string>

#include "volumeter/inventory.h"

namespace volumeter {

// The `reason` label: of a small fixed set. `error` is SampleAnswer::error.
std::string reason_of(int error);
std::string problem_of(int error);

// Errors that say that a volume can't be probed, not that it is broken: the `reason` label. Empty
// for all others.
std::string reason_not_to_probe(int error);

// A hostPath whose way leads through a symlink (/var/run/...): links aren't followed, so nothing is
// known of it, and nothing is wrong with it.
bool leads_through_link(const Target& target, int error);

}  // namespace volumeter
