// As much of the Arduino core as the reference firmware needs, so that it runs on this computer:
// the serial port is standard input and output, DAC and ADC are one array.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>

enum { A0, A1, A2, A3, A4 };
enum { OUTPUT, INPUT_PULLUP };
enum { LOW, HIGH };
using std::min;

static bool enabled = false;
static uint16_t dac[16];

void pinMode(int, int) {}
void digitalWrite(int, int value) { enabled = value; }
int digitalRead(int) { return LOW; }
int analogRead(int pin) { return enabled ? dac[pin] * 1023 / 4095 : 0; }

uint32_t millis() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

template <class T, class Low, class High>
T constrain(T value, Low low, High high) {
  return value < low ? low : value > high ? high : value;
}

struct {
  void begin(long) {}
  bool available() {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    return poll(&input, 1, 1) > 0;
  }
  char read() {
    char next;
    if (::read(STDIN_FILENO, &next, 1) != 1) _exit(0);
    return next;
  }
  void print(const char *text) {
    if (::write(STDOUT_FILENO, text, strlen(text)) < 0) _exit(1);
  }
} Serial;

#include FIRMWARE

int main() {
  setup();
  for (;;) loop();
}
