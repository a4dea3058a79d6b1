// How a failed measurement is told: a label value, and a sentence.
#pragma once

#include <string>

namespace volumeter {

// The `reason` label: of a small fixed set. `error` is SampleAnswer::error.
std::string reason_of(int error);
std::string problem_of(int error);

}  // namespace volumeter
