// The parts of Writer that are more than a line: durations and JSON strings.
#include "stats/writer.hpp"

namespace kev::stats {

namespace {

constexpr char kHex[] = "0123456789abcdef";

// How many bytes the UTF-8 character at `text` has, 0 if what stands there is none.
unsigned utf8_length(const unsigned char* text, unsigned available) {
  unsigned char first = text[0];
  if (first < 0x80) return 1;
  unsigned length = first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
  if (length == 0 || length > available) return 0;
  for (unsigned i = 1; i < length; ++i)
    if ((text[i] & 0xc0) != 0x80) return 0;
  // Overlong forms, surrogates and what lies beyond U+10FFFF.
  unsigned char second = text[1];
  if (first == 0xe0 && second < 0xa0) return 0;
  if (first == 0xed && second > 0x9f) return 0;
  if (first == 0xf0 && second < 0x90) return 0;
  if (first == 0xf4 && second > 0x8f) return 0;
  return length;
}

}  // namespace

Writer& Writer::duration(uint64_t ns, unsigned width) {
  struct Unit {
    uint64_t ns;
    const char* name;
  };
  static constexpr Unit kUnits[] = {{1'000'000'000, " s"}, {1'000'000, " ms"}, {1'000, " us"}};
  char text[40];
  unsigned length = 0;
  auto append = [&](const char* from) {
    while (*from != '\0') text[length++] = *from++;
    text[length] = '\0';
  };
  char digits[24];
  for (const Unit& unit : kUnits) {
    if (ns < unit.ns) continue;
    uint64_t hundredths = ns % unit.ns * 100 / unit.ns;
    append(format(ns / unit.ns, digits));
    append(hundredths < 10 ? ".0" : ".");
    append(format(hundredths, digits));
    append(unit.name);
    return right(text, width);
  }
  append(format(ns, digits));
  append(ns == 0 ? "" : " ns");
  return right(text, width);
}

Writer& Writer::json_text(const char* text, unsigned length) {
  const unsigned char* at = reinterpret_cast<const unsigned char*>(text);
  while (length > 0) {
    unsigned bytes = utf8_length(at, length);
    if (bytes == 0) {
      put("\\ufffd");
      bytes = 1;
    } else if (*at == '"' || *at == '\\') {
      put('\\').put(static_cast<char>(*at));
    } else if (*at < 0x20) {
      put("\\u00").put(kHex[*at >> 4]).put(kHex[*at & 15]);
    } else {
      for (unsigned i = 0; i < bytes; ++i) put(static_cast<char>(at[i]));
    }
    at += bytes;
    length -= bytes;
  }
  return *this;
}

}  // namespace kev::stats
