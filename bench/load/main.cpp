// kev-load: a load that is faster than the servers of bench/apps; see kHelp. The connections live in crowd.cpp.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <getopt.h>
#include <stdexcept>
#include <string>
#include <sys/resource.h>

#include "crowd.hpp"

using namespace kev::load;

namespace {

constexpr char kHelp[] =
    R"(Usage: kev-load --port=N --protocol=memcached|http|echo
Many idle connections to 127.0.0.1 and a few busy ones, each of which sends a request when the last one is answered.
Reads commands, a line each, and answers each with a line:

  open TOTAL          opens connections until there are that many, with a request on each        -> TOTAL
  run BUSY SECONDS    keeps that many of them busy for that time                                 -> REQUESTS SECONDS

Keeps one processor busy while it runs. Ends at the end of its input; on an error with status 1 and a line on stderr.
)";

struct Options {
  uint16_t port = 0;
  Protocol protocol;
};

[[noreturn]] void refuse(const char* what) {
  fprintf(stderr, "kev-load: %s\n", what);
  exit(2);
}

uint16_t port_number(const char* text) {
  char* end;
  unsigned long number = strtoul(text, &end, 10);
  if (*end != '\0' || number == 0 || number > UINT16_MAX) refuse("--port: not a port");
  return static_cast<uint16_t>(number);
}

Options parse(int argc, char** argv) {
  enum : int { port = 1, protocol, help };
  const option known[] = {
      {"port", required_argument, nullptr, port},
      {"protocol", required_argument, nullptr, protocol},
      {"help", no_argument, nullptr, help},
      {nullptr, 0, nullptr, 0},
  };
  Options options;
  for (int choice; (choice = getopt_long(argc, argv, "", known, nullptr)) != -1;) switch (choice) {
      case port: options.port = port_number(optarg); break;
      case protocol: options.protocol = find_protocol(optarg); break;
      case help: fputs(kHelp, stdout); exit(0);
      default: refuse("see --help");
    }
  if (options.port == 0 || options.protocol.request.empty() || optind < argc) refuse("see --help");
  return options;
}

// As many descriptors as may be had.
void raise_limit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void obey(Crowd& crowd, const char* line) {
  size_t number;
  double seconds;
  if (sscanf(line, "open %zu", &number) == 1) {
    crowd.open(number);
    printf("%zu\n", number);
  } else if (sscanf(line, "run %zu %lf", &number, &seconds) == 2) {
    Round round = crowd.run(number, std::chrono::duration<double>(seconds));
    printf("%llu %.6f\n", static_cast<unsigned long long>(round.requests), round.seconds);
  } else {
    throw std::runtime_error(std::string("not a command: ") + line);
  }
  fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Options options = parse(argc, argv);
    raise_limit();
    Crowd crowd(options.port, options.protocol);
    char line[128];
    while (fgets(line, sizeof line, stdin) != nullptr) obey(crowd, line);
  } catch (const std::exception& error) {
    fprintf(stderr, "kev-load: %s\n", error.what());
    return 1;
  }
}
