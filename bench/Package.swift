// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that whoever depends on Quash never resolves what only its benchmarks need. It uses Quash as
// they do, through its products.
let package = Package(
    name: "quash-bench",
    dependencies: [.package(name: "quash", path: "..")],
    targets: [
        .executableTarget(
            name: "QuashBench",
            dependencies: [.product(name: "Quash", package: "quash")],
            swiftSettings: [
                .strictMemorySafety(),
                .treatWarning("StrictMemorySafety", as: .error),
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("InternalImportsByDefault"),
                .enableUpcomingFeature("MemberImportVisibility"),
            ])
    ]
)
