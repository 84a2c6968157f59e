// swift-tools-version: 6.2

import PackageDescription

// Levels (docs/architecture.md, scripts/check-layers): a target imports only targets of a lower level.

let checked: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

/// For targets that prove by the compiler that they touch no raw memory.
let memorySafe: [SwiftSetting] = checked + [.strictMemorySafety()]

/// LMCACHE_STATIC=1 links libzmq and what it needs into the program, for releases.
let isStatic = Context.environment["LMCACHE_STATIC"] == "1"
let staticLibraries = ["zmq", "sodium", "pgm", "norm", "protokit", "bsd", "md", "stdc++"]
let zmqLinking: [LinkerSetting] =
    isStatic
    ? [.unsafeFlags(staticLibraries.flatMap { ["-Xlinker", "-l:lib\($0).a"] })]
    : [.linkedLibrary("zmq")]
let yamlLinking: [LinkerSetting] =
    isStatic ? [.unsafeFlags(["-Xlinker", "-l:libyaml.a"])] : [.linkedLibrary("yaml")]
/// SwiftPM's own switch for a static standard library leaves dynamic products out.
let libraryLinking: [LinkerSetting] =
    isStatic
    ? [
        .unsafeFlags([
            "-static-stdlib", "-Xlinker", "--version-script=\(Context.packageDirectory)/Sources/CLMCache/exports.map",
        ])
    ]
    : []

let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let httpFront: [Target.Dependency] = [
    .product(name: "Hummingbird", package: "hummingbird"),
    .product(name: "HummingbirdCore", package: "hummingbird"),
    .product(name: "HTTPTypes", package: "swift-http-types"),
    .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
]

let sources: [Target] = [
    // Level 0
    .target(name: "CSystemShims"),
    .target(name: "CCUDATypes"),
    .systemLibrary(name: "CZeroMQ", providers: [.apt(["libzmq3-dev"])]),
    // libzmq.a wants GSSAPI, which has no static library on Debian: stubs stand in for it.
    .target(name: "CLMCache"),
    .systemLibrary(name: "CYAML", providers: [.apt(["libyaml-dev"])]),
    .target(name: "CZeroMQSupport", cSettings: isStatic ? [.define("LMC_GSSAPI_STUBS")] : []),
    .target(name: "NativeThreads", dependencies: ["CSystemShims"], swiftSettings: checked),
    .target(name: "MessagePack", swiftSettings: checked),
    .target(name: "KVModel", swiftSettings: checked),
    // Level 1
    .target(name: "CacheProtocol", dependencies: ["MessagePack", "KVModel"], swiftSettings: memorySafe),
    .target(name: "Telemetry", dependencies: ["CSystemShims", logging, metrics], swiftSettings: checked),
    .target(name: "L1Cache", dependencies: ["KVModel", "CSystemShims", "NativeThreads"], swiftSettings: checked),
    .target(
        name: "DeviceTransfer", dependencies: ["KVModel", "CSystemShims", "NativeThreads"], swiftSettings: checked),
    .target(name: "DurableFile", swiftSettings: checked),
    .target(
        name: "L2Storage", dependencies: ["KVModel", "NativeThreads", "Telemetry", "CSystemShims"],
        swiftSettings: checked),
    .target(
        name: "ZMQTransport",
        dependencies: ["CZeroMQ", "CZeroMQSupport", "CSystemShims", "KVModel", "NativeThreads"],
        swiftSettings: checked, linkerSettings: zmqLinking),
    // Level 2
    .target(
        name: "CacheEngine",
        dependencies: ["KVModel", "L1Cache", "L2Storage", "DeviceTransfer", "Telemetry", "NativeThreads", logging],
        swiftSettings: memorySafe),
    .target(
        name: "CUDATransfer",
        dependencies: ["DeviceTransfer", "CCUDATypes", "CSystemShims", "KVModel", "NativeThreads"],
        exclude: ["Kernels/copy_kernels.cu"], swiftSettings: checked),
    .target(
        name: "L2FileSystem", dependencies: ["L2Storage", "KVModel", "NativeThreads", "CSystemShims"],
        swiftSettings: checked),
    .target(name: "L2RESP", dependencies: ["L2Storage", "KVModel"], swiftSettings: checked),
    .target(
        name: "L2S3", dependencies: ["L2Storage", "KVModel", "NativeThreads", "Telemetry", "CSystemShims"],
        swiftSettings: checked),
    .target(
        name: "YAMLReader", dependencies: ["CYAML", "Telemetry"], swiftSettings: checked, linkerSettings: yamlLinking),
    // Level 3
    .target(
        name: "CacheService",
        dependencies: [
            "CacheProtocol", "MessagePack", "KVModel", "CacheEngine", "L1Cache", "DurableFile", "Telemetry", logging,
        ],
        swiftSettings: memorySafe),
    .target(
        name: "AdminHTTP", dependencies: ["KVModel", "Telemetry", "NativeThreads", logging] + httpFront,
        swiftSettings: checked),
    // Level 4
    .target(
        name: "EngineKit",
        dependencies: [
            "CacheEngine", "CacheService", "CUDATransfer", "DeviceTransfer", "KVModel", "L1Cache", "L2Storage",
            "L2FileSystem", "L2RESP", "L2S3", "Telemetry", logging,
        ],
        swiftSettings: memorySafe),
    // Level 5
    .target(
        name: "ServerKit",
        dependencies: [
            "EngineKit", "CacheService", "CacheEngine", "AdminHTTP", "ZMQTransport", "L1Cache", "DeviceTransfer",
            "DurableFile", "KVModel", "L2Storage", "NativeThreads", "Telemetry", logging,
        ],
        swiftSettings: checked),
    .target(
        name: "InProcessConfiguration",
        dependencies: ["EngineKit", "CacheEngine", "CacheService", "KVModel", "L1Cache", "Telemetry", "YAMLReader"],
        swiftSettings: memorySafe),
    // Level 6
    .target(
        name: "LMCacheC",
        dependencies: [
            "CLMCache", "InProcessConfiguration", "EngineKit", "CacheService", "CacheEngine", "CacheProtocol",
            "L1Cache",
            "KVModel", "Telemetry", "NativeThreads", "ZMQTransport", logging,
        ],
        swiftSettings: checked, linkerSettings: libraryLinking),
    .executableTarget(
        name: "lmcache",
        dependencies: [
            "ServerKit", "EngineKit", "Telemetry", "ZMQTransport", "CacheProtocol", "L2Storage", "KVModel",
            "NativeThreads", arguments,
        ],
        swiftSettings: checked),
    .executableTarget(
        name: "lmcache-benchmark",
        dependencies: ["ZMQTransport", "CacheProtocol", "DeviceTransfer", "KVModel", "NativeThreads", arguments],
        path: "Benchmarks/ControlPlane", swiftSettings: checked),
    .executableTarget(
        name: "lmcache-l2-objects",
        dependencies: ["L2FileSystem", "L2RESP", "L2S3", "L2Storage", "KVModel", "Telemetry"],
        path: "Benchmarks/L2Objects", swiftSettings: checked),
    // Beside the levels: what libFuzzer and the mutation tests run, and what tests share
    .target(
        name: "FuzzEntries",
        dependencies: [
            "CacheProtocol", "MessagePack", "KVModel", "CacheService", "InProcessConfiguration", "Telemetry",
            "YAMLReader",
        ],
        path: "Fuzz/Entries", swiftSettings: checked),
    .target(name: "FakeCUDADriver", path: "Tests/Support/FakeCUDADriver"),
    .target(name: "CAllocationCounter", path: "Tests/Support/CAllocationCounter"),
    .target(
        name: "L2Conformance", dependencies: ["L2Storage", "KVModel", "NativeThreads"],
        path: "Tests/Support/L2Conformance",
        swiftSettings: checked),
    .target(
        name: "EngineTestSupport",
        dependencies: ["CacheEngine", "L1Cache", "L2Storage", "DeviceTransfer", "KVModel", "Telemetry", logging],
        path: "Tests/Support/EngineTestSupport", swiftSettings: checked),
]

/// A target's own tests, in Tests/Unit/<target>Tests.
func unitTests(_ target: String, with others: [Target.Dependency] = [], exclude: [String] = []) -> Target {
    .testTarget(
        name: "\(target)Tests", dependencies: [.byNameItem(name: target, condition: nil)] + others,
        path: "Tests/Unit/\(target)Tests", exclude: exclude, swiftSettings: checked)
}

/// Tests of more than one target, in Tests/<name>.
func jointTests(_ name: String, of targets: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: targets, path: "Tests/\(name)", exclude: exclude, swiftSettings: checked)
}

let tests: [Target] = [
    unitTests("NativeThreads"),
    unitTests("MessagePack"),
    unitTests("KVModel", with: ["CAllocationCounter"]),
    unitTests("CacheProtocol", with: ["MessagePack", "KVModel"]),
    unitTests("Telemetry", with: [logging, metrics]),
    unitTests("DurableFile"),
    unitTests("L2Storage", with: ["L2Conformance", "KVModel", "NativeThreads", "Telemetry"]),
    unitTests(
        "L2FileSystem", with: ["L2Storage", "L2Conformance", "KVModel", "Telemetry"], exclude: ["Goldens"]),
    unitTests("L2RESP", with: ["L2Storage", "L2Conformance", "KVModel", "NativeThreads", "Telemetry"]),
    unitTests("L2S3", with: ["L2Storage", "L2Conformance", "KVModel", "Telemetry"]),
    unitTests("L1Cache", with: ["KVModel", "NativeThreads", "CAllocationCounter"]),
    unitTests("DeviceTransfer", with: ["KVModel", "CSystemShims"]),
    unitTests(
        "CUDATransfer", with: ["FakeCUDADriver", "DeviceTransfer", "KVModel", "NativeThreads"]),
    unitTests("ZMQTransport", with: ["KVModel", "NativeThreads"]),
    unitTests(
        "CacheEngine",
        with: [
            "KVModel", "L1Cache", "L2Storage", "DeviceTransfer", "EngineTestSupport", "NativeThreads", "Telemetry",
            logging,
        ]),
    unitTests(
        "CacheService",
        with: [
            "CAllocationCounter",
            "CacheEngine", "CacheProtocol", "DeviceTransfer", "DurableFile", "EngineTestSupport", "KVModel", "L1Cache",
            "MessagePack", logging,
        ]),
    unitTests("AdminHTTP", with: ["KVModel", "NativeThreads", "Telemetry", logging] + httpFront),
    unitTests("EngineKit", with: ["Telemetry", "L2Storage"]),
    unitTests("YAMLReader", with: ["Telemetry"]),
    unitTests(
        "InProcessConfiguration",
        with: ["CacheEngine", "CacheService", "EngineKit", "KVModel", "L1Cache", "Telemetry"]),
    unitTests("LMCacheC", with: ["CLMCache", "InProcessConfiguration"]),
    unitTests("ServerKit", with: ["EngineKit", "Telemetry", logging]),
    jointTests("WireGoldenTests", of: ["CacheProtocol", "MessagePack", "KVModel"], exclude: ["Goldens"]),
    jointTests("BenchmarkTests", of: ["lmcache-benchmark"]),
    jointTests("FuzzEntriesTests", of: ["FuzzEntries"]),
    jointTests(
        "SimulationTests",
        of: ["EngineTestSupport", "CacheEngine", "L1Cache", "L2Storage", "DeviceTransfer", "KVModel"]),
    jointTests(
        "CommandLineTests", of: ["lmcache", "EngineKit", "NativeThreads", "Telemetry", arguments],
        exclude: ["Snapshots"]),
]

let package = Package(
    name: "lmcache",
    products: [
        .executable(name: "lmcache", targets: ["lmcache"]),
        // liblmcache.so in a release: two products cannot share a name.
        .library(name: "LMCacheC", type: .dynamic, targets: ["LMCacheC"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.0.0"),
    ],
    targets: sources + tests
)
