package dbtest

// Program returns the path of the program that Start starts.
func Program() (string, error) {
	p, err := findProgram()
	return p.path, err
}
