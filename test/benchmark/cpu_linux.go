package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime returns the CPU time that all threads of a process have used so far, in
// user and kernel mode. Unlike wall clock time it does not grow when other processes
// use the cores.
func cpuTime(pid int) time.Duration {
	const schedulers = 2 // CPUCLOCK_SCHED has a resolution of nanoseconds; /proc counts ticks
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|schedulers, &t); err != nil {
		fail(fmt.Errorf("CPU time of process %d: %w", pid, err))
	}
	return time.Duration(t.Nano())
}

// pin binds all current and future threads of a process to one core. The server under
// test has one core, and all other processes share the other one.
func pin(pid, core int) {
	if runtime.NumCPU() < 2 {
		return
	}
	var set unix.CPUSet
	set.Set(core)
	bind(pid, &set)
}

// unpin allows a process to use all cores again.
func unpin(pid int) {
	var set unix.CPUSet
	for core := range runtime.NumCPU() {
		set.Set(core)
	}
	bind(pid, &set)
}

func bind(pid int, set *unix.CPUSet) {
	// The loop runs twice: a thread that starts meanwhile inherits the cores of its
	// parent, which may not be bound yet.
	for range 2 {
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			fail(err)
		}
		for _, task := range tasks {
			if id, err := strconv.Atoi(task.Name()); err == nil {
				_ = unix.SchedSetaffinity(id, set) // fails if the thread has ended meanwhile
			}
		}
	}
}
