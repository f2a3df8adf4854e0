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
    dependencies: [
        .package(name: "quash", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        // What a run found, as JSON.
        .target(name: "BenchResults", swiftSettings: settings),
        .executableTarget(
            name: "QuashBench",
            dependencies: ["BenchResults", .product(name: "Quash", package: "quash")],
            swiftSettings: settings),
        .systemLibrary(name: "CLinux"),
        // Validators and their peers over real sockets.
        .executableTarget(
            name: "QuashLoad",
            dependencies: [
                "BenchResults", "CLinux", .product(name: "Quash", package: "quash"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "QuashLoadTests",
            dependencies: ["QuashLoad", .product(name: "Histogram", package: "hdrhistogram-swift")],
            swiftSettings: settings),
        // What a run found, as a page, as a text and beside another run.
        .target(name: "BenchReport", dependencies: ["BenchResults"], swiftSettings: settings),
        .executableTarget(name: "QuashReport", dependencies: ["BenchReport"], swiftSettings: settings),
        .testTarget(
            name: "BenchReportTests", dependencies: ["BenchReport", "BenchResults"], swiftSettings: settings),

        // A whole fleet of processes on this machine: what it does beside a plain Redis.
        .target(name: "FleetParts", dependencies: ["BenchResults"], swiftSettings: settings),
        .executableTarget(
            name: "QuashFleet",
            dependencies: ["BenchResults", "FleetParts", .product(name: "Quash", package: "quash")],
            swiftSettings: settings),
        .testTarget(name: "FleetPartsTests", dependencies: ["BenchResults", "FleetParts"], swiftSettings: settings),
    ]
)
