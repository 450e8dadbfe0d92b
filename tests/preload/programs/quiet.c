/* A library that does nothing. */
int quiet(void) { return 0; }
