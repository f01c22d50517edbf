// swift-tools-version: 6.2
import PackageDescription

/// Our own code: warnings are errors. Dependencies keep their own settings.
let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]

let hummingbirdCore: Target.Dependency = .product(name: "HummingbirdCore", package: "hummingbird")
let hummingbirdTLS: Target.Dependency = .product(name: "HummingbirdTLS", package: "hummingbird")
let asyncHTTPClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioFoundationCompat: Target.Dependency = .product(name: "NIOFoundationCompat", package: "swift-nio")
let nioTLS: Target.Dependency = .product(name: "NIOTLS", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioHTTPTypes: Target.Dependency = .product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let x509: Target.Dependency = .product(name: "X509", package: "swift-certificates")
let asn1: Target.Dependency = .product(name: "SwiftASN1", package: "swift-asn1")
let heap: Target.Dependency = .product(name: "HeapModule", package: "swift-collections")
let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let nioWebSocket: Target.Dependency = .product(name: "NIOWebSocket", package: "swift-nio")
let swiftProtobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")

func pure(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let package = Package(
    name: "presenced",
    products: [
        .executable(name: "presenced", targets: ["presenced"]),
        .executable(name: "presence-lab", targets: ["presence-lab"]),
    ],
    dependencies: [
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.20.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-crypto", "3.12.3"..<"5.0.0"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // Pure: no clock, chance, tasks, files, sockets or logs.
        pure("PresenceModel", [heap]),
        pure("MatrixWire", ["PresenceModel"]),
        pure("PresenceEngine", ["PresenceModel"]),
        pure("FederationEngine", ["PresenceModel"]),
        .target(
            name: "SocialWire", dependencies: [swiftProtobuf], exclude: ["Protos", "generate"],
            swiftSettings: strict),
        pure("SocialEngine", ["PresenceModel"]),
        pure("BridgeEngine", ["PresenceModel", "SocialEngine"]),

        // One actor: engines, clock, one sleeper.
        .target(
            name: "PresenceRuntime", dependencies: ["PresenceModel", "PresenceEngine", "FederationEngine"],
            swiftSettings: strict),

        // Shells.
        .target(
            name: "MatrixHTTP",
            dependencies: [
                "MatrixWire", "PresenceModel", hummingbirdCore, httpTypes, nioCore, nioHTTP1, nioHTTPTypes,
                nioWebSocket, logging,
            ],
            swiftSettings: strict),
        .target(
            name: "ClientGateway",
            dependencies: [
                "MatrixHTTP", "MatrixWire", "PresenceEngine", "PresenceModel", "PresenceRuntime", crypto,
                hummingbirdCore,
                httpTypes, logging, nioCore,
            ],
            swiftSettings: strict),
        .target(
            name: "AdminGateway",
            dependencies: [
                "FederationEngine", "MatrixHTTP", "MatrixWire", "PresenceEngine", "PresenceModel", "PresenceRuntime",
                crypto, httpTypes,
            ],
            swiftSettings: strict),
        .target(
            name: "MatrixFederation",
            dependencies: [
                "CCares", "FederationEngine", "MatrixHTTP", "MatrixWire", "PresenceModel", "PresenceRuntime", crypto,
                hummingbirdCore, hummingbirdTLS, httpTypes, lifecycle, logging, nioCore, nioHTTP1, nioPosix, nioSSL,
                nioTLS,
            ],
            swiftSettings: strict),
        .target(
            name: "PresenceStore",
            dependencies: [
                "BridgeEngine", "FederationEngine", "PresenceEngine", "PresenceModel", "PresenceRuntime",
                "SocialEngine", grdb,
            ],
            swiftSettings: strict),

        .target(
            name: "HomeserverLink",
            dependencies: [
                "ClientGateway", "FederationEngine", "MatrixFederation", "MatrixHTTP", "MatrixWire", "PresenceEngine",
                "PresenceModel", "PresenceRuntime", asyncHTTPClient, crypto, hummingbirdCore, httpTypes, logging,
                nioCore, nioFoundationCompat, nioHTTP1, nioPosix, nioSSL, yams,
            ],
            swiftSettings: strict),

        // The social service: dcl-rpc over WebSocket, who may log in, the service, a client.
        .target(
            name: "SocialTransport",
            dependencies: [
                "MatrixHTTP", "SocialWire", nioCore, nioHTTP1, nioPosix, nioSSL, nioWebSocket,
            ],
            swiftSettings: strict),
        .target(name: "AuthChain", dependencies: ["CSecp256k1", "MatrixWire", "PresenceModel"], swiftSettings: strict),
        .target(
            name: "SocialService",
            dependencies: [
                "AuthChain", "CHiredis", "MatrixHTTP", "MatrixWire", "PresenceModel", "PresenceRuntime", "SocialEngine",
                "SocialTransport", "SocialWire", logging, nioCore, nioPosix, swiftProtobuf,
            ],
            swiftSettings: strict),
        .target(
            name: "SocialClient",
            dependencies: ["PresenceModel", "SocialEngine", "SocialTransport", "SocialWire", swiftProtobuf],
            swiftSettings: strict),

        // The bridge between Matrix users and a social service.
        .target(
            name: "SocialBridge",
            dependencies: [
                "AuthChain", "BridgeEngine", "HomeserverLink", "MatrixWire", "PresenceEngine", "PresenceModel",
                "PresenceRuntime", "SocialClient", "SocialEngine", "SocialService",
            ],
            swiftSettings: strict),

        .target(
            name: "BridgeGateway",
            dependencies: [
                "AdminGateway", "AuthChain", "BridgeEngine", "ClientGateway", "MatrixHTTP", "MatrixWire",
                "PresenceModel", "PresenceRuntime", "SocialBridge", "SocialEngine",
            ],
            swiftSettings: strict),

        // For developers.
        .target(name: "LoopbackTLS", dependencies: [asn1, crypto, x509], swiftSettings: strict),
        .target(
            name: "FixtureReplay",
            dependencies: ["MatrixWire", "PresenceModel", asyncHTTPClient, crypto, nioCore, nioHTTP1, nioSSL],
            swiftSettings: strict),
        .target(
            name: "PresenceTestKit",
            dependencies: ["FederationEngine", "PresenceEngine", "PresenceModel", "PresenceRuntime"],
            path: "Tests/PresenceTestKit", swiftSettings: strict),

        // DNS look-ups.
        .systemLibrary(name: "CCares", pkgConfig: "libcares", providers: [.apt(["libc-ares-dev"])]),
        // The protocol of Redis.
        .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
        // Signatures of Ethereum wallets.
        .systemLibrary(name: "CSecp256k1", pkgConfig: "libsecp256k1", providers: [.apt(["libsecp256k1-dev"])]),
        // Settings of the C library's memory.
        .systemLibrary(name: "CMalloc"),
        .executableTarget(
            name: "presenced",
            dependencies: [
                "AdminGateway", "AuthChain", "BridgeEngine", "BridgeGateway", "CMalloc", "ClientGateway",
                "FederationEngine", "FixtureReplay", "HomeserverLink", "LoopbackTLS", "MatrixFederation", "MatrixHTTP",
                "MatrixWire", "PresenceEngine", "PresenceModel",
                "PresenceRuntime", "PresenceStore", "SocialBridge", "SocialClient", "SocialEngine", "SocialService",
                "SocialTransport", argumentParser, asyncHTTPClient, hummingbirdCore, hummingbirdTLS, lifecycle, logging,
                nioCore,
                nioFoundationCompat,
                nioPosix, nioSSL, yams,
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "presence-lab",
            dependencies: [
                "FederationEngine", "FixtureReplay", "LoopbackTLS", "MatrixWire", "PresenceEngine", "PresenceModel",
                "PresenceRuntime", "PresenceStore", "PresenceTestKit", "SocialEngine", "SocialService",
                "SocialTransport",
                "SocialWire", argumentParser,
                crypto, heap, nioCore, nioHTTP1, nioPosix, nioSSL,
            ],
            swiftSettings: strict),

        tests("PresenceModelTests", ["PresenceModel"]),
        tests("MatrixWireTests", ["MatrixWire", "PresenceModel"]),
        tests("PresenceEngineTests", ["PresenceEngine", "PresenceModel", "PresenceTestKit"]),
        tests("FederationEngineTests", ["FederationEngine", "PresenceModel", "PresenceTestKit"]),
        tests("SocialEngineTests", ["PresenceModel", "SocialEngine"]),
        tests(
            "SocialRuntimeTests",
            ["PresenceModel", "PresenceRuntime", "SocialEngine", "SocialService"]),
        tests("BridgeEngineTests", ["BridgeEngine", "PresenceModel", "SocialEngine"]),
        tests(
            "PresenceRuntimeTests",
            ["FederationEngine", "PresenceEngine", "PresenceModel", "PresenceRuntime", "PresenceTestKit"]),
        tests(
            "PresenceStoreTests",
            [
                "BridgeEngine", "FederationEngine", "PresenceEngine", "PresenceModel", "PresenceRuntime",
                "PresenceStore",
                "SocialEngine", grdb,
            ]),
        tests(
            "FixtureReplayTests", ["FixtureReplay", "MatrixWire", "PresenceModel", nioCore, nioHTTP1, nioPosix]),
        tests(
            "ClientGatewayTests",
            [
                "ClientGateway", "FederationEngine", "MatrixHTTP", "MatrixWire", "PresenceEngine", "PresenceModel",
                "PresenceRuntime", httpTypes, hummingbirdCore, logging, nioCore, nioPosix,
            ]),
        tests(
            "AdminGatewayTests",
            [
                "AdminGateway", "FederationEngine", "MatrixHTTP", "MatrixWire", "PresenceEngine", "PresenceModel",
                "PresenceRuntime", httpTypes, hummingbirdCore, nioCore,
            ]),
        tests(
            "MatrixHTTPTests",
            [
                "MatrixHTTP", "MatrixWire", "PresenceModel", httpTypes, hummingbirdCore, nioCore, nioEmbedded, nioHTTP1,
                nioHTTPTypes,
            ]),
        tests(
            "MatrixFederationTests",
            [
                "FederationEngine", "LoopbackTLS", "MatrixFederation", "MatrixHTTP", "MatrixWire", "PresenceEngine",
                "PresenceModel", "PresenceRuntime", httpTypes, hummingbirdCore, logging, nioCore, nioHTTP1, nioPosix,
                nioSSL,
            ]),
        tests(
            "HomeserverLinkTests",
            [
                "ClientGateway", "FederationEngine", "HomeserverLink", "LoopbackTLS", "MatrixFederation", "MatrixHTTP",
                "MatrixWire", "PresenceEngine", "PresenceModel", "PresenceRuntime", "PresenceTestKit", asyncHTTPClient,
                crypto, hummingbirdCore, httpTypes, logging, nioCore, nioHTTP1, nioPosix, nioSSL,
            ]),
        tests("SocialWireTests", ["PresenceModel", "SocialWire"]),
        tests(
            "SocialTransportTests",
            [
                "AuthChain", "LoopbackTLS", "MatrixHTTP", "PresenceModel", "SocialClient", "SocialEngine",
                "SocialTransport", "SocialWire", crypto, hummingbirdCore, hummingbirdTLS, lifecycle, logging, nioCore,
                nioEmbedded, nioHTTP1, nioPosix, nioSSL, nioWebSocket,
            ]),
        tests("AuthChainTests", ["AuthChain", "MatrixWire", "PresenceModel"]),
        tests(
            "SocialServiceTests",
            [
                "AuthChain", "MatrixWire", "PresenceModel", "SocialEngine", "SocialService", "SocialTransport",
                "SocialWire", swiftProtobuf,
            ]),
        tests(
            "SocialClientTests",
            [
                "MatrixHTTP", "PresenceModel", "SocialClient", "SocialEngine", "SocialTransport", "SocialWire",
                hummingbirdCore, logging, nioCore, nioPosix, swiftProtobuf,
            ]),
        tests(
            "SocialBridgeTests",
            [
                "AuthChain", "BridgeEngine", "FederationEngine", "HomeserverLink", "MatrixHTTP", "MatrixWire",
                "PresenceEngine", "PresenceModel", "PresenceRuntime", "SocialBridge", "SocialClient", "SocialEngine",
                "SocialService", "SocialTransport", "SocialWire",
                crypto, hummingbirdCore, logging, nioCore, nioPosix, swiftProtobuf,
            ]),
        tests(
            "BridgeGatewayTests",
            [
                "AdminGateway", "AuthChain", "BridgeEngine", "BridgeGateway", "ClientGateway", "FederationEngine",
                "MatrixHTTP", "MatrixWire", "PresenceEngine", "PresenceModel", "PresenceRuntime", "SocialBridge",
                "SocialEngine", httpTypes, hummingbirdCore, nioCore,
            ]),
        tests("TidyTests", []),
        tests(
            "presencedTests",
            [
                "AdminGateway", "BridgeEngine", "BridgeGateway", "ClientGateway", "FederationEngine", "HomeserverLink",
                "MatrixFederation", "MatrixHTTP",
                "MatrixWire", "presenced", "PresenceEngine", "PresenceModel", "PresenceRuntime", "PresenceStore",
                "SocialBridge", "SocialEngine", "SocialService", "SocialTransport", "SocialWire", logging, nioPosix,
                swiftProtobuf, yams,
            ]),
        tests(
            "LiveTests",
            [
                "BridgeEngine", "FederationEngine", "FixtureReplay", "HomeserverLink", "LoopbackTLS",
                "MatrixFederation", "MatrixHTTP", "MatrixWire", "PresenceEngine", "PresenceModel", "presence-lab",
                "presenced", "PresenceRuntime", "PresenceStore", "SocialBridge", "SocialClient", "SocialEngine",
                "SocialService", "SocialTransport", "SocialWire", asyncHTTPClient, hummingbirdCore, logging, nioCore,
                nioFoundationCompat, nioHTTP1, nioPosix, nioSSL, swiftProtobuf,
            ]),
    ]
)
