// What probing workers do (workers/protocol.h, WorkerProfile::kProbing), and what they answer. Both
// ends of the conversation are here.
//
// A probe asks the volume itself: it writes to a file that has no name, past the page cache, and
// reads back what it wrote. Nothing that it leaves open outlives it, and nothing of the volume's
// own content is looked at.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "volumeter/measurer.h"

namespace volumeter {

// Indices into probe_functions().
enum ProbeFunction : std::uint32_t { kPulse, kBurst };
std::vector<SampleFunction> probe_functions();
// Before the sandbox: makes the ring, or the AIO context where rings are forbidden.
bool prepare_probes();

// How a volume is reached; the functions' argument.
enum class ProbeWay : std::uint64_t {
  kUnnamedFile,  // O_TMPFILE
  kNamedFile,    // whose name lives for a moment
  kDevice,       // reads of a block device, no write
};

// What makes a probe's figures something else than they claim; they aren't reported then.
enum class ProbeFlaw : std::uint32_t {
  kNone,
  kCached,    // the filesystem went through the page cache in spite of O_DIRECT
  kCpu,       // the worker waited for a CPU for a good part of the time
  kMismatch,  // what was read isn't what had been written
  kSlow,      // a burst couldn't even lay out its file in time
  kStopped,   // the daemon wanted the burst to end
};
// The `reason` label.
std::string_view to_string(ProbeFlaw flaw);

// How far a pulse is: what note_progress() says.
enum class PulseStage : std::uint32_t { kOpening, kFirstWrite, kOverwrite, kReading, kDone };

// Each from the end of the one before; the first from when the worker took the request. 0: not
// done (the device's way has a read only).
struct PulseAnswer {
  std::uint64_t first_write_ns = 0;  // making the file and its first block, made durable
  std::uint64_t overwrite_ns = 0;    // the same block, made durable again
  std::uint64_t read_ns = 0;
  ProbeFlaw flaw = ProbeFlaw::kNone;
  PulseStage stage = PulseStage::kOpening;  // where it failed, when it did
};

// Bytes that must be left for a pulse to write: the last ones aren't ours.
inline constexpr std::uint64_t kPulseLeastRoom = 1 << 20;
inline constexpr std::uint32_t kPulseMostBlock = 65536;  // bytes; of 4096, where that will do
// Bytes that a pulse writes at most: a block, twice.
inline constexpr std::uint64_t kPulseWrites = std::uint64_t{2} * kPulseMostBlock;

inline constexpr unsigned kBurstDepth = 16;
inline constexpr std::uint32_t kBurstOperations = 512;  // reads, and as many writes
inline constexpr std::uint32_t kBurstBlock = 4096;      // bytes
inline constexpr std::uint64_t kBurstFile = 4 << 20;    // bytes
inline constexpr std::uint32_t kBurstLayoutBlock = 64
                                                   << 10;  // bytes, of the writes that lay it out
// Bytes that it writes at most: the file, and then its writes.
inline constexpr std::uint64_t kBurstWrites =
    kBurstFile + std::uint64_t{kBurstOperations} * kBurstBlock;
inline constexpr std::uint64_t kBurstNs = 1'000'000'000;  // from opening to closing its file

struct BurstAnswer {
  struct Part {
    std::uint64_t ns = 0;  // that the operations took together
    std::uint64_t p50_ns = 0;
    std::uint64_t p99_ns = 0;
  };
  std::uint32_t reads = 0;
  std::uint32_t writes = 0;
  Part read;
  Part write;
  ProbeFlaw flaw = ProbeFlaw::kNone;
};

}  // namespace volumeter
