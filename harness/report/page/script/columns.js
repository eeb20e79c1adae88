// Columns of numbers as `harness/report/page/pack.py` packs them.

const ALPHABET = Array.from({ length: 92 }, (_, place) => String.fromCharCode(35 + place)).filter((sign) => !"&'<>\\".includes(sign)).join("");

function unpack(column, length) {
  const { width, text } = column;
  const numbers = new Float64Array(width ? text.length / width : length || 0);
  const digits = new Uint8Array(128);
  for (let place = 0; place < ALPHABET.length; place += 1) digits[ALPHABET.charCodeAt(place)] = place;
  for (let number = 0, at = 0; width && number < numbers.length; number += 1) {
    let value = 0;
    for (let digit = 0; digit < width; digit += 1, at += 1) value = value * ALPHABET.length + digits[text.charCodeAt(at)];
    numbers[number] = value;
  }
  return numbers;
}
