/** As ps: what is no printable character is a question mark. A text of the guest's cannot command the terminal then. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu, "?");
}
