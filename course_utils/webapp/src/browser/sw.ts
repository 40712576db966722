// Keeps the page's files, so that the next visit needs no network.

export {};
