// Loading block.bpf.c and call.bpf.c. For a process of its own: libbpf isn't asked for anything in
// the daemon.
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

// Of calls that applications wait for: pairs in call.bpf.c that are attached together, on the
// kernel's functions where it has fentry, else on tracepoints.
const std::vector<std::string>& sync_programs();
const std::vector<std::string>& read_write_programs();

// The maps that the programs share: the memory of call_record.h, first, what is in flight, and what
// is under way.
inline constexpr std::size_t kLatencyMaps = 3;

// As TracingMeasurer::attach(). `ignore_statistics`, for tests: as if no queue kept any, which
// makes block_rq_issue necessary; no queue lets itself be talked out of it.
Result<std::vector<int>> attach_latency_program(const std::string& program,
                                                const std::vector<int>& maps,
                                                bool ignore_statistics = false);

}  // namespace volumeter
