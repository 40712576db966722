// How the search orders what it finds: what a notebook defines comes before what the library names.
// The numbers are Sphinx's, except those of objects (names of the library), which are smaller.
// Sphinx declares Scorer with var, too.
var Scorer = {
  objNameMatch: 4,
  objPartialMatch: 1,
  objPrio: { 0: 1, 1: 0, 2: -1 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
