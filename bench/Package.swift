// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .strictMemorySafety(),
    .treatWarning("StrictMemorySafety", as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

// A package of its own, so that whoever depends on Quash never resolves what only its benchmarks need. It uses Quash as
// they do, through its products.
let package = Package(
    name: "quash-bench",
    dependencies: [.package(name: "quash", path: "..")],
    targets: [
        // What a run found, as JSON.
        .target(name: "BenchResults", swiftSettings: settings),
        .executableTarget(
            name: "QuashBench",
            dependencies: ["BenchResults", .product(name: "Quash", package: "quash")],
            swiftSettings: settings),

        // A whole fleet of processes on this machine: what it does beside a plain Redis.
        .target(name: "FleetParts", dependencies: ["BenchResults"], swiftSettings: settings),
        .executableTarget(
            name: "QuashFleet",
            dependencies: ["BenchResults", "FleetParts", .product(name: "Quash", package: "quash")],
            swiftSettings: settings),
        .testTarget(name: "FleetPartsTests", dependencies: ["BenchResults", "FleetParts"], swiftSettings: settings),
    ]
)
