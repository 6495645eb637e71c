// Pressure board, protocol 1: reference firmware for docs/hardware/pneumatic.md.
//
// UNTESTED ON HARDWARE. It was written beside the protocol's description, never compiled for or run
// on a board. Try it with the air supply shut and a multimeter at the outputs first.
//
// Five regulators whose inputs are 0..5 V: MCP4728 DACs on I2C are common, any other will do once
// writeOutput() is yours. Regulators' monitor outputs are on analogue pins. Change only the block
// below and the three functions after it.

#include <Arduino.h>

const uint8_t OUTPUTS = 5;
const uint16_t LARGEST_COUNT = 4095;      // full scale of DAC and ADC; driver.largest_count
const uint8_t MONITOR_PINS[OUTPUTS] = {A0, A1, A2, A3, A4};
const int SUPPLY_SWITCH_PIN = 7;          // closed to ground while the supply pressure is there
const int ENABLE_PIN = 8;                 // supply of the regulators' valves, through a MOSFET
const long BAUD = 115200;                 // driver.baud

void setupOutputs() {
  pinMode(ENABLE_PIN, OUTPUT);
  digitalWrite(ENABLE_PIN, LOW);
  pinMode(SUPPLY_SWITCH_PIN, INPUT_PULLUP);
  // TODO for your board: start the DAC here.
}

void writeOutput(uint8_t output, uint16_t count) {
  // TODO for your board: set the DAC's channel `output` to `count` of LARGEST_COUNT.
  (void)output;
  (void)count;
}

uint16_t readMonitor(uint8_t output) {
  // An ADC of 10 bits, stretched to the same full scale as the DAC.
  return (uint32_t)analogRead(MONITOR_PINS[output]) * LARGEST_COUNT / 1023;
}

// ---------------------------------------------------------------- nothing to change below ---

const uint16_t LONGEST_LINE = 200;
const uint16_t SHORTEST_WATCHDOG_MS = 50;
const uint16_t LONGEST_WATCHDOG_MS = 60000;
enum Flag { FLAG_ON = 1, FLAG_WATCHDOG = 2, FLAG_SUPPLY_LOW = 4 };
enum Error { UNKNOWN_VERB = 1, ARGUMENT_COUNT = 2, OUT_OF_RANGE = 3 };

uint16_t setpoints[OUTPUTS];
bool isOn = false, tripped = false;
uint16_t watchdogMs = 0;  // 0: none
uint32_t heardMs = 0;
char line[LONGEST_LINE];
uint16_t length = 0;
bool tooLong = false;

uint16_t crc16(const char *data, uint16_t size) {  // CRC-16/CCITT-FALSE
  uint16_t crc = 0xFFFF;
  for (uint16_t i = 0; i < size; i++) {
    crc ^= (uint16_t)(uint8_t)data[i] << 8;
    for (uint8_t bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1;
  }
  return crc;
}

void applyOutputs() {
  for (uint8_t i = 0; i < OUTPUTS; i++) writeOutput(i, isOn ? setpoints[i] : 0);
  digitalWrite(ENABLE_PIN, isOn ? HIGH : LOW);
}

void switchOff(bool byWatchdog) {
  for (uint8_t i = 0; i < OUTPUTS; i++) setpoints[i] = 0;
  isOn = false;
  tripped = byWatchdog;
  applyOutputs();
}

void answer(const char *number, const char *verb, const uint16_t *values, uint8_t count,
            const char *words = "") {
  static char text[LONGEST_LINE];
  int size = snprintf(text, sizeof text, "%s %s%s", number, verb, words);
  for (uint8_t i = 0; i < count; i++)
    size += snprintf(text + size, sizeof text - size, " %u", values[i]);
  snprintf(text + size, sizeof text - size, "*%04X\n", crc16(text, size));
  Serial.print(text);
}

void refuse(const char *number, uint16_t code) { answer(number, "ERR", &code, 1); }

bool toCount(const char *word, uint16_t &value) {  // 1 to 5 digits, at most 65535
  uint32_t number = 0;
  uint8_t digits = 0;
  for (; *word; word++, digits++) {
    if (*word < '0' || *word > '9' || digits == 5) return false;
    number = number * 10 + (*word - '0');
  }
  value = number;
  return digits > 0 && number <= 65535;
}

void obey(char *body) {
  char *words[OUTPUTS + 3];
  uint8_t count = 0;
  for (char *word = strtok(body, " "); word; word = strtok(nullptr, " ")) {
    if (count == OUTPUTS + 3) break;
    words[count++] = word;
  }
  uint16_t number;
  if (count < 2 || !toCount(words[0], number)) return;
  heardMs = millis();
  const char *id = words[0], *verb = words[1];
  const uint8_t given = count - 2;
  const bool isSet = !strcmp(verb, "SET"), isWatchdog = !strcmp(verb, "WDT");
  const bool isGet = !strcmp(verb, "GET"), isId = !strcmp(verb, "ID");
  const bool on = !strcmp(verb, "ON"), off = !strcmp(verb, "OFF");
  if (!(isSet || isWatchdog || isGet || isId || on || off)) return refuse(id, UNKNOWN_VERB);
  if (given != (isSet ? OUTPUTS : isWatchdog ? 1 : 0)) return refuse(id, ARGUMENT_COUNT);
  uint16_t values[OUTPUTS + 1];
  for (uint8_t i = 0; i < given; i++)
    if (!toCount(words[i + 2], values[i])) return refuse(id, OUT_OF_RANGE);
  if (isId) {
    const uint16_t figures[] = {1, OUTPUTS, LARGEST_COUNT};
    return answer(id, verb, figures, 3, " njf-pressure");
  }
  if (isWatchdog) {
    watchdogMs = values[0] ? constrain(values[0], SHORTEST_WATCHDOG_MS, LONGEST_WATCHDOG_MS) : 0;
    return answer(id, verb, &watchdogMs, 1);
  }
  if (isGet) {
    values[0] = (isOn ? FLAG_ON : 0) | (tripped ? FLAG_WATCHDOG : 0) |
                (digitalRead(SUPPLY_SWITCH_PIN) ? FLAG_SUPPLY_LOW : 0);
    for (uint8_t i = 0; i < OUTPUTS; i++) values[i + 1] = readMonitor(i);
    return answer(id, verb, values, OUTPUTS + 1);
  }
  if (isSet) {
    for (uint8_t i = 0; i < OUTPUTS; i++) setpoints[i] = min(values[i], LARGEST_COUNT);
    applyOutputs();
    return answer(id, verb, setpoints, OUTPUTS);
  }
  if (on) {
    isOn = true;
    tripped = false;
    applyOutputs();
  } else {
    switchOff(false);
  }
  answer(id, verb, nullptr, 0);
}

void take(char next) {
  if (next != '\n') {
    if (length < LONGEST_LINE - 1) line[length++] = next;
    else tooLong = true;
    return;
  }
  if (length && line[length - 1] == '\r') length--;
  line[length] = 0;
  char *star = strrchr(line, '*');
  if (!tooLong && star && strlen(star) == 5) {
    char expected[5];
    snprintf(expected, sizeof expected, "%04X", crc16(line, star - line));
    if (!strcmp(star + 1, expected)) {
      *star = 0;
      obey(line);
    }
  }
  length = 0;
  tooLong = false;
}

void setup() {
  setupOutputs();
  switchOff(false);
  Serial.begin(BAUD);
}

void loop() {
  while (Serial.available()) take(Serial.read());
  if (isOn && watchdogMs && millis() - heardMs > watchdogMs) switchOff(true);
}
