// swift-tools-version: 6.2
// An HTTP service, on Hummingbird, that validates its own tokens: nothing stands before it, and it asks nobody.
import PackageDescription

let package = Package(
    name: "service",
    dependencies: [
        // In a service of yours, where Quash's sources come from.
        .package(name: "quash", path: "../../.."),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
    ],
    targets: [
        .executableTarget(
            name: "Service",
            dependencies: [
                .product(name: "Quash", package: "quash"),
                .product(name: "QuashServer", package: "quash"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Hummingbird", package: "hummingbird"),
            ])
    ]
)
