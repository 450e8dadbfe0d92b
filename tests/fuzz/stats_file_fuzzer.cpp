// A counters file, which may have been written by anybody: mapped, judged and reported, as text and as JSON.
//
// The input is a byte of flags (1: the mark is not ours; 2: the file is too short), and then pieces that are laid over
// a file of zeros with our mark: slot (byte; 0 is the header), offset in it (two bytes), length (byte), bytes.
#include <sys/mman.h>
#include <unistd.h>

#include <utility>

#include "input.hpp"
#include "stats/page.hpp"
#include "stats/report.hpp"

using namespace kev::stats;

namespace {

std::string report_of(const Header* header, kev::config::StatsFormat format) {
  std::string out;
  write_report(header, 0, format, [](void* context, const char* text, unsigned length) {
    static_cast<std::string*>(context)->append(text, length);
  }, &out);
  return out;
}

// Just enough of a JSON parser to say whether it is a whole document.
class Json {
 public:
  explicit Json(const std::string& text) : at_(text.c_str()) {}
  bool is_whole() {
    bool good = value();
    space();
    return good && *at_ == '\0';
  }

 private:
  void space() {
    while (*at_ == ' ' || *at_ == '\n') ++at_;
  }
  bool take(char c) {
    space();
    if (*at_ != c) return false;
    ++at_;
    return true;
  }
  bool string() {
    if (!take('"')) return false;
    for (; *at_ != '"'; ++at_) {
      if (static_cast<unsigned char>(*at_) < 0x20) return false;
      if (*at_ == '\\' && std::strchr("\"\\u", *++at_) == nullptr) return false;
    }
    ++at_;
    return true;
  }
  bool word(const char* word) {
    if (std::strncmp(at_, word, std::strlen(word)) != 0) return false;
    at_ += std::strlen(word);
    return true;
  }
  bool value() {
    space();
    if (*at_ == '"') return string();
    if (*at_ == '{' || *at_ == '[') {
      char end = *at_ == '{' ? '}' : ']';
      ++at_;
      if (take(end)) return true;
      do
        if ((end == '}' && !(string() && take(':'))) || !value()) return false;
      while (take(','));
      return take(end);
    }
    if (*at_ == 't' || *at_ == 'f' || *at_ == 'n') return word("true") || word("false") || word("null");
    const char* begin = at_;
    while (*at_ != '\0' && std::strchr("-.0123456789", *at_) != nullptr) ++at_;
    return at_ != begin;
  }

  const char* at_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const int fd = ::memfd_create("stats", MFD_CLOEXEC);
  static const std::string path = "/proc/self/fd/" + std::to_string(fd);
  // Zeros again, by as little as possible: making the whole file anew takes longer than all the rest.
  static std::vector<std::pair<off_t, size_t>> written;
  static const std::string zeros(kSlotBytes, '\0');
  for (auto [at, length] : written) HOLDS(::pwrite(fd, zeros.data(), length, at) == static_cast<ssize_t>(length));
  written = {{0, 16}};

  fuzz::Input input(data, size);
  uint8_t flags = input.byte();
  HOLDS(::ftruncate(fd, static_cast<off_t>(kFileBytes) - (flags & 2) / 2) == 0);
  while (!input.is_empty()) {
    off_t slot = input.byte();
    uint16_t offset = input.word() % kSlotBytes;
    std::string bytes = input.bytes(input.byte());
    bytes.resize(bytes.size() < kSlotBytes - offset ? bytes.size() : kSlotBytes - offset);
    off_t at = slot * kSlotBytes + offset;
    HOLDS(::pwrite(fd, bytes.data(), bytes.size(), at) == static_cast<ssize_t>(bytes.size()));
    written.emplace_back(at, bytes.size());
  }
  uint64_t mark[2] = {kMagic, kLayout};
  if ((flags & 1) == 0) HOLDS(::pwrite(fd, mark, sizeof mark, 0) == sizeof mark);

  int error = 0;
  const Header* header = map_existing(path.c_str(), error);
  HOLDS((header == nullptr) == (error < 0));
  HOLDS(header == nullptr || (flags & 2) == 0);
  HOLDS(header != nullptr || flags % 4 != 0);
  if (header == nullptr) return 0;
  HOLDS(header->magic.load() == kMagic && header->layout.load() == kLayout);
  for (unsigned char c : report_of(header, kev::config::StatsFormat::text))
    HOLDS(c == '\n' || (c >= 0x20 && c != 0x7f));
  std::string json = report_of(header, kev::config::StatsFormat::json);
  HOLDS(Json(json).is_whole());
  ::munmap(const_cast<Header*>(header), kFileBytes);
  return 0;
}
