// Loading block.bpf.c. For a process of its own: libbpf isn't asked for anything in the daemon.
#pragma once

#include <string>
#include <vector>

#include "volumeter/result.h"

namespace volumeter {

// By their names in block.bpf.c.
inline constexpr const char* kRequestComplete = "block_rq_complete";
inline constexpr const char* kRequestIssue = "block_rq_issue";
inline constexpr const char* kBioQueue = "block_bio_queue";
inline constexpr const char* kBioComplete = "block_bio_complete";

// As TracingMeasurer::attach(). The maps are the memory of block_record.h, first, and the one of
// what is in flight. `ignore_statistics`, for tests: as if no queue kept any, which makes
// block_rq_issue necessary; no queue lets itself be talked out of it.
Result<std::vector<int>> attach_block_program(const std::string& program,
                                              const std::vector<int>& maps,
                                              bool ignore_statistics = false);

}  // namespace volumeter
