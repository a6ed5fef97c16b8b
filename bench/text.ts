/** About as long as what people write to each other, now and then with a link in it. */
export const TEXT = "A message of about the length that people write to each other, now and then with a link in it.";
