// Keeps the text of a source file inside the program, for --source: the assembler includes the file as bytes.
//
// EMBED_SOURCE(name) at the end of a file defines the string `embedded_<name>`. The path is the one the compiler was
// given, so the assembler finds it from the same directory. A reproducer defines REPRODUCER: nothing is embedded then.
#ifndef EMBED_H
#define EMBED_H

#if defined(REPRODUCER) || defined(__cplusplus)
#define EMBED_SOURCE(name) struct embedded_nothing
#else
#define EMBED_SOURCE(name)                                                                                      \
  __asm__(".pushsection .rodata\n"                                                                              \
          ".global embedded_" #name "\n"                                                                        \
          "embedded_" #name ":\n"                                                                               \
          ".incbin \"" __FILE__ "\"\n"                                                                          \
          ".byte 0\n"                                                                                           \
          ".popsection\n");                                                                                     \
  _Static_assert(1, #name)
#endif

#ifdef EMBED_HEADERS // set by source.c alone
EMBED_SOURCE(embed_h);
#endif

#endif
