// Text in pieces, gathered in a small buffer and handed to a sink.
//
// Lives here: numbers, columns, durations and JSON strings without allocation, stdio or locale. Does not live here:
// what the report says. Any context.
#pragma once

#include <cstdint>

#include "stats/report.hpp"

namespace kev::stats {

class Writer {
 public:
  Writer(Sink sink, void* context) : sink_(sink), context_(context) {}
  ~Writer() { flush(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void flush() {
    if (length_ != 0) sink_(context_, buffer_, length_);
    length_ = 0;
  }

  Writer& put(char c) {
    if (length_ == sizeof buffer_) flush();
    buffer_[length_++] = c;
    return *this;
  }

  Writer& put(const char* text) {
    while (*text != '\0') put(*text++);
    return *this;
  }

  Writer& put(uint64_t number) {
    char digits[24];
    return put(format(number, digits));
  }

  // `text` in a column of `width`.
  Writer& left(const char* text, unsigned width) {
    put(text);
    return spaces(text, width);
  }
  Writer& right(const char* text, unsigned width) {
    spaces(text, width);
    return put(text);
  }
  Writer& right(uint64_t number, unsigned width) {
    char digits[24];
    return right(format(number, digits), width);
  }

  // Words that came from outside: on one line, whatever stands in them.
  Writer& printable(const char* text) {
    for (; *text != '\0'; ++text) put(static_cast<unsigned char>(*text) < 0x20 || *text == 0x7f ? '?' : *text);
    return *this;
  }

  // "1.50 ms" in a column of `width`.
  Writer& duration(uint64_t ns, unsigned width = 0);

  // The inside of a JSON string, `length` bytes of UTF-8; what is not valid becomes U+FFFD.
  Writer& json_text(const char* text, unsigned length);

 private:
  static const char* format(uint64_t number, char (&digits)[24]) {
    char* at = digits + sizeof digits - 1;
    *at = '\0';
    do *--at = static_cast<char>('0' + number % 10);
    while ((number /= 10) != 0);
    return at;
  }

  Writer& spaces(const char* text, unsigned width) {
    unsigned used = 0;
    while (text[used] != '\0') ++used;
    for (; used < width; ++used) put(' ');
    return *this;
  }

  Sink sink_;
  void* context_;
  unsigned length_ = 0;
  char buffer_[512];
};

}  // namespace kev::stats
