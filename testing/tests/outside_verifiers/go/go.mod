module muster.invalid/outside-verifier

go 1.25

// The copy that comes with every Go toolchain, below src/cmd/vendor.
require golang.org/x/mod v0.0.0
