/** Programs only: nothing of this package is for import. */
export {};
