import CUV

extension Loop {
    /// How many threads of this process can run at once, 1 or more: in a container or under taskset(1) fewer than the
    /// machine has cores (`uv_available_parallelism`, which asks sched_getaffinity(2)).
    package static var availableParallelism: Int { Int(uv_available_parallelism()) }
}
