// storm FILE THREADS: so many threads that all sync FILE once, at the same time. Prints "all" when
// each of them has begun, and ends when each is done.
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

int g_file = -1;
std::atomic<int> g_begun = 0;

void* sync_once(void* /*unused*/) {
  g_begun.fetch_add(1);
  ::fsync(g_file);
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  g_file = ::open(argv[1], O_RDWR | O_CLOEXEC);
  if (g_file < 0) return 1;
  const int count = std::atoi(argv[2]);
  constexpr std::size_t kStack = 32 << 10;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStack);
  std::vector<pthread_t> threads(static_cast<std::size_t>(count));
  for (pthread_t& thread : threads) {
    if (pthread_create(&thread, &attributes, sync_once, nullptr) != 0) {
      std::perror("pthread_create");
      return 1;
    }
  }
  while (g_begun.load() < count) ::usleep(1000);
  std::puts("all");
  std::fflush(stdout);
  for (const pthread_t thread : threads) pthread_join(thread, nullptr);
  return 0;
}
