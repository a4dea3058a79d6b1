#include "collect/tracer.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "volumeter/log.h"
#include "workers/fd_message.h"

namespace volumeter {

Tracer::Tracer(EventLoop& loop, const Measurers& measurers, TracerOptions options)
    : loop_(loop), options_(std::move(options)) {
  if (!options_.enabled) return;
  for (LiveMeasurer* live : live_measurers(measurers, options_.disabled)) {
    auto* tracing = dynamic_cast<TracingMeasurer*>(live);
    if (tracing == nullptr) continue;
    measurers_.push_back(tracing);
    for (const std::string& name : tracing->all_programs()) programs_[name].measurer = tracing;
  }
}

Tracer::~Tracer() {
  if (process_) end_process();
  for (int i = 0; i < 100 && !dying_.empty(); ++i) {
    std::erase_if(dying_, [](const Child& child) { return child.reap(); });
    if (!dying_.empty()) ::usleep(1000);
  }
}

void Tracer::look() {
  std::erase_if(dying_, [](const Child& child) { return child.reap(); });
  for (auto& [name, program] : programs_) program.wanted = false;
  std::vector<std::string> order;
  for (TracingMeasurer* measurer : measurers_) {
    for (const std::string& name : measurer->wanted_programs()) {
      programs_[name].wanted = true;
      order.push_back(name);
    }
  }
  for (auto& [name, program] : programs_) {
    if (program.wanted || program.links.empty()) continue;
    program.links.clear();
    program.measurer->on_attached(name, false);
    log(LogLevel::kInfo, "a BPF program isn't needed any more", {{"program", name}});
  }
  for (const std::string& name : order) {
    Program& program = programs_[name];
    if (process_) return;  // its end looks again
    if (program.links.empty() && Clock::now() >= program.not_before) attach(name, program);
  }
}

void Tracer::attach(const std::string& name, Program& program) {
  program.not_before = Clock::now() + options_.retry;
  std::vector<int> maps;
  for (const UniqueFd& map : maps_[program.measurer]) maps.push_back(map.get());
  auto started = spawn_connected(
      options_.exe,
      {kTracingWorker, std::string(program.measurer->name()), name, std::to_string(maps.size())},
      maps);
  if (!started) return take(program, name, started.error());
  const auto deadline = loop_.after(options_.deadline, [this] {
    const std::string late = process_->program;
    end_process();
    take(programs_[late], late, Error{"no answer by the deadline", ETIMEDOUT});
  });
  process_ = Process{std::move(started->child), std::move(started->socket), name, deadline};
  loop_.watch(process_->socket.get(), [this] { receive(); });
}

void Tracer::receive() {
  auto fds = receive_fds(process_->socket.get());
  if (!fds && fds.error().code == EAGAIN) return;
  const std::string name = process_->program;
  end_process();
  take(programs_[name], name, std::move(fds));
  look();
}

void Tracer::take(Program& program, const std::string& name, Result<std::vector<UniqueFd>> fds) {
  const std::size_t map_count = program.measurer->map_count();
  if (fds && fds->size() <= map_count) {
    fds = Error{"no link came with the program", EBADMSG};
  }
  if (fds && maps_[program.measurer].empty()) {
    std::vector<UniqueFd> maps;
    std::move(fds->end() - static_cast<std::ptrdiff_t>(map_count), fds->end(),
              std::back_inserter(maps));
    if (Status adopted = program.measurer->adopt(maps); !adopted) {
      fds = adopted.error();
    } else {
      maps_[program.measurer] = std::move(maps);
    }
  }
  if (!fds) {
    if (std::exchange(program.problem, fds.error().message) != fds.error().message) {
      log(LogLevel::kWarn, "a BPF program isn't attached: what it counts is absent",
          {{"program", name}, {"error", fds.error().message}});
    }
    return;
  }
  fds->resize(fds->size() - map_count);
  program.links = std::move(fds).value();
  program.not_before = {};  // should it be detached and wanted again
  program.problem.clear();
  program.measurer->on_attached(name, true);
  log(LogLevel::kInfo, "BPF program attached", {{"program", name}});
}

// It has nothing left to do; or it is late.
void Tracer::end_process() {
  loop_.cancel(process_->deadline);
  loop_.unwatch(process_->socket.get());
  process_->child.kill();
  dying_.push_back(std::move(process_->child));
  process_.reset();
}

std::vector<std::pair<std::string, bool>> Tracer::programs() const {
  std::vector<std::pair<std::string, bool>> all;
  for (const auto& [name, program] : programs_) {
    if (program.wanted) all.emplace_back(name, !program.links.empty());
  }
  return all;
}

}  // namespace volumeter
