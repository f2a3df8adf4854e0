// swift-tools-version: 6.2
import PackageDescription

// Strict memory safety is an error everywhere. Every other warning is an error when QUASH_WERROR is set, as CI does,
// so that a newer compiler's new warning never stops a user's build.
let strict: [SwiftSetting] = [
    .strictMemorySafety(),
    .treatWarning("StrictMemorySafety", as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
]
let warningsAsErrors: [SwiftSetting] =
    Context.environment["QUASH_WERROR"] == nil ? [] : [.treatAllWarnings(as: .error)]
let settings = strict + warningsAsErrors

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies + ["TestSupport"], swiftSettings: settings)
}

/// `scripts/fuzz` sets it: then the folder of the fuzz targets is a program for libFuzzer, otherwise a test of the
/// inputs that were kept.
let fuzzes = Context.environment["QUASH_FUZZ"] != nil
let fuzzDependencies: [Target.Dependency] = [
    "QuashServer", "QuashHTTP", "QuashRedis", "QuashLoop", "Quash", "QuashJWT", "QuashJSON", "QuashCrypto",
    "TestSupport",
]
let fuzzTarget: Target =
    fuzzes
    ? .executableTarget(
        name: "QuashFuzz", dependencies: fuzzDependencies, path: "Tests/Fuzz",
        exclude: ["Corpus", "KeptInputsTests.swift"],
        swiftSettings: settings + [.enableExperimentalFeature("Extern")])
    : .testTarget(
        name: "FuzzTests", dependencies: fuzzDependencies, path: "Tests/Fuzz",
        exclude: ["Corpus", "LibFuzzer.swift"], swiftSettings: settings)

/// `scripts/simulate` sets it: then there is a program that runs schedules of the simulation.
let simulates = Context.environment["QUASH_SIMULATE"] != nil
let simulationProgram: [Target] =
    simulates
    ? [
        .executableTarget(
            name: "QuashSimulate", dependencies: ["QuashSimulation"], path: "Tests/Simulation/Program",
            swiftSettings: settings)
    ] : []

/// `scripts/nemesis` sets it: then there is a program that injects faults into a fleet of real processes. What it
/// judges the answers by is always built, and tested by NemesisTests.
let nemesis: [Target] =
    Context.environment["QUASH_NEMESIS"] == nil
    ? []
    : [
        .executableTarget(
            name: "QuashNemesis",
            dependencies: [
                "NemesisHistory", "QuashProcess", "Quash", "QuashHTTP", "QuashRedis", "QuashJWT", "QuashJSON",
                "QuashLoop", "QuashCrypto", "TestSupport",
            ],
            path: "Tests/Nemesis/Live", swiftSettings: settings)
    ]

/// `scripts/counts` sets it: then there is a program whose instructions and allocations are counted.
let counts: [Target] =
    Context.environment["QUASH_COUNTS"] == nil
    ? []
    : [
        .executableTarget(
            name: "QuashCounts",
            dependencies: [
                "QuashServer", "Quash", "QuashHTTP", "QuashJWT", "QuashLoop", "QuashCrypto", "TestSupport",
            ],
            path: "Tests/Counts", swiftSettings: settings)
    ]

/// What runs inside Redis, compiled in.
let scripts = [
    "check", "register", "layout", "begin", "restored", "revoke", "renew", "leave", "nodes", "forget", "sign-in",
    "list-session", "rotate", "end-session",
]

let package = Package(
    name: "quash",
    products: [
        .executable(name: "quash", targets: ["QuashCLI"]),
        .library(name: "Quash", targets: ["Quash", "QuashJWT"]),
        .library(name: "QuashServer", targets: ["QuashServer"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: [
        // The C libraries: a module map and a shim header each, and one Swift target that imports each.
        .systemLibrary(name: "CUV"),
        .systemLibrary(name: "CHiredis"),
        .systemLibrary(name: "COpenSSL"),
        .systemLibrary(name: "CYAML"),

        module("QuashCrypto", ["COpenSSL"]),
        module("QuashJSON"),
        module("QuashLoop", ["CUV", "QuashCrypto"]),
        module("QuashHTTP", ["QuashLoop", "QuashCrypto"]),
        module("QuashRedis", ["CHiredis", "QuashLoop", "QuashCrypto"]),
        module("QuashJWT", ["QuashCrypto", "QuashJSON"]),
        module("Quash", ["QuashJWT", "QuashCrypto"]),
        .target(
            name: "QuashServer",
            dependencies: [
                "Quash", "QuashHTTP", "QuashRedis", "QuashLoop", "QuashJWT", "QuashJSON", "QuashCrypto", "CYAML",
                .product(name: "Logging", package: "swift-log"),
            ],
            resources: scripts.map { .embedInCode("Scripts/\($0).lua") }
                + ["html", "css", "js"].map { .embedInCode("Status/page.\($0)") },
            swiftSettings: settings),
        // Programs that run beside this one: the demo's and the tests' redis-server and nginx.
        module("QuashProcess"),
        .executableTarget(
            name: "QuashCLI",
            dependencies: [
                "QuashServer", "QuashProcess", "Quash", "QuashHTTP", "QuashJWT", "QuashJSON", "QuashLoop",
                "QuashCrypto",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            // The very configuration that is shipped for gateways.
            resources: [.embedInCode("Demo/nginx.conf")],
            swiftSettings: settings),

        .target(
            name: "TestSupport", dependencies: ["QuashProcess"], path: "Tests/TestSupport", swiftSettings: settings),
        // The protocol in virtual time: the shipped machines, a model of Redis, and faults.
        .target(
            name: "QuashSimulation", dependencies: ["Quash", "QuashJWT", "QuashCrypto"], path: "Tests/Simulation",
            exclude: ["Mutants", "Program"], swiftSettings: settings),
        tests("SimulationTests", ["QuashSimulation"]),
        tests("QuashCryptoTests", ["QuashCrypto"]),
        tests("QuashJSONTests", ["QuashJSON"]),
        tests("QuashLoopTests", ["QuashLoop", "QuashCrypto"]),
        tests("QuashHTTPTests", ["QuashHTTP", "QuashLoop"]),
        tests("QuashRedisTests", ["QuashRedis", "QuashLoop", "QuashCrypto"]),
        tests("QuashJWTTests", ["QuashJWT", "QuashJSON", "QuashCrypto"]),
        tests("QuashTests", ["Quash", "QuashJWT", "QuashCrypto"]),
        tests(
            "QuashServerTests",
            [
                "QuashServer", "Quash", "QuashHTTP", "QuashRedis", "QuashLoop", "QuashJWT", "QuashJSON", "QuashCrypto",
                "QuashSimulation", .product(name: "Logging", package: "swift-log"),
            ]),
        tests("QuashCLITests", ["QuashCLI", "QuashHTTP", "QuashLoop", "QuashJWT", "QuashJSON", "QuashCrypto"]),
        // Real gateways, which are not there everywhere: `scripts/gateways` installs them and runs these.
        tests("GatewayTests", ["QuashCLI", "QuashHTTP", "QuashLoop", "QuashJWT", "QuashJSON", "QuashCrypto"]),
        // The whole thing as it is operated. What needs Prometheus or Chromium runs by `scripts/operations` alone.
        tests(
            "OperationsTests",
            ["QuashCLI", "QuashServer", "QuashHTTP", "QuashLoop", "QuashJWT", "QuashJSON", "QuashCrypto"]),
        tests("StyleTests", ["QuashProcess"]),
        fuzzTarget,
        .target(
            name: "NemesisHistory", dependencies: ["Quash"], path: "Tests/Nemesis/History", swiftSettings: settings),
        tests("NemesisTests", ["NemesisHistory", "Quash"]),
    ] + simulationProgram + nemesis + counts
)
