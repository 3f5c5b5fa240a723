/* The product of our little factory: it says what it is, and how big a factory it did not need to bring along. */
#include <stdio.h>

int main(void) {
    puts("Widget no. 1: stamped, polished, packed.");
    return 0;
}
