// What the benchmarks share: how long, how much, how often.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace volumeter::bench {

// BENCH_SECONDS in the environment, else 600.
int seconds_to_run();

double median(std::vector<double> values);
double percentile(std::vector<double> values, double p);

// Seconds on a CPU, of every thread of every process of the tree, and of children that have ended.
double cpu_seconds(pid_t root);
double pss_mib(pid_t root);
std::size_t open_fds(pid_t root);

// One scrape as Prometheus does it: with gzip. Seconds, and the answer's size.
double scrape(int port, std::size_t* bytes = nullptr);
std::size_t count_series(int port);

// On a terminal, how far it is; nothing in a pipe.
void progress(const char* what, int done, int all);

}  // namespace volumeter::bench
