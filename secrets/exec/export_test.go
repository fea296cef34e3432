package exec

// ParseForTest is the parser of a program's output.
var ParseForTest = parse
