import AdminGateway
import BridgeEngine
import BridgeGateway
import ClientGateway
import FederationEngine
import Foundation
import Logging
import MatrixFederation
import MatrixHTTP
import NIOPosix
import PresenceEngine
import PresenceModel
import PresenceRuntime
import SocialBridge
import Testing
import Yams

/// What `Spec/openapi.yaml` says is served is what is served.
struct `The description of the endpoints` {
    private struct Operation {
        var name: String
        var parameters: Set<String>
        var fields: [String: Any]
    }

    private static let methods = ["get", "put", "post", "delete"]

    private let document: [String: Any]

    init() throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Spec/openapi.yaml")
        document = try #require(try Yams.load(yaml: String(contentsOf: file, encoding: .utf8)) as? [String: Any])
    }

    @Test func `names every route, and no other`() async throws {
        let described = try operations().map { operation in
            operation.name.replacing(try Regex(#"\{[^}]*\}"#), with: "*")
        }
        let served = try await served()
        #expect(Set(served).subtracting(described).sorted() == [], "served and not described")
        #expect(Set(described).subtracting(served).sorted() == [], "described and not served")
        #expect(described.count == served.count)
    }

    @Test func `declares the open segments of every path`() throws {
        for operation in try operations() {
            let open = operation.name.matches(of: try Regex(#"\{([^}]*)\}"#)).compactMap {
                $0.output[1].substring.map(String.init)
            }
            #expect(Set(open) == operation.parameters, "\(operation.name)")
        }
    }

    @Test func `says of every operation what it is for and what it answers`() throws {
        for operation in try operations() {
            #expect(operation.fields["summary"] is String, "\(operation.name)")
            let responses = try #require(operation.fields["responses"] as? [String: Any], "\(operation.name)")
            #expect(responses["200"] != nil, "\(operation.name)")
            for (status, response) in responses {
                let response = try resolved(response)
                #expect(response["description"] is String, "\(operation.name): \(status)")
            }
        }
    }

    @Test func `refers only to what is there`() throws {
        var references: Set<String> = []
        collectReferences(in: document, into: &references)
        #expect(references.count >= 30)
        for reference in references.sorted() {
            #expect(value(at: reference) != nil, "\(reference) leads nowhere")
        }
    }

    // MARK: The document

    private func operations() throws -> [Operation] {
        let paths = try #require(document["paths"] as? [String: Any])
        return try paths.sorted { $0.key < $1.key }.flatMap { path, item -> [Operation] in
            let item = try resolved(item)
            let shared = try names(item["parameters"])
            return try `The description of the endpoints`.methods.compactMap { method -> Operation? in
                guard let fields = item[method] as? [String: Any] else { return nil }
                return Operation(
                    name: "\(method.uppercased()) \(path)",
                    parameters: shared.union(try names(fields["parameters"])), fields: fields)
            }
        }
    }

    /// Of the parameters that stand in the path.
    private func names(_ parameters: Any?) throws -> Set<String> {
        Set(
            try (parameters as? [Any] ?? []).map { try resolved($0) }
                .filter { $0["in"] as? String == "path" }.compactMap { $0["name"] as? String })
    }

    private func resolved(_ value: Any) throws -> [String: Any] {
        let fields = try #require(value as? [String: Any])
        guard let reference = fields["$ref"] as? String else { return fields }
        return try #require(self.value(at: reference) as? [String: Any], "\(reference)")
    }

    /// What `#/components/…` leads to.
    private func value(at reference: String) -> Any? {
        guard reference.hasPrefix("#/") else { return nil }
        return reference.dropFirst(2).split(separator: "/").reduce(document as Any?) { value, key in
            (value as? [String: Any])?[String(key)]
        }
    }

    private func collectReferences(in value: Any, into references: inout Set<String>) {
        if let fields = value as? [String: Any] {
            if let reference = fields["$ref"] as? String { references.insert(reference) }
            for field in fields.values { collectReferences(in: field, into: &references) }
        } else if let elements = value as? [Any] {
            for element in elements { collectReferences(in: element, into: &references) }
        }
    }

    // MARK: The server

    private struct NoDisk: Journal {
        func append(_ records: [PresenceInstance.Record]) {}
        func settle() async throws {}
    }

    private struct NoNetwork: TransactionDelivery {
        func deliver(_ transaction: OutgoingTransaction) async -> DeliveryOutcome { .failed(.unanswered(after: nil)) }
    }

    private struct NoBridge: BridgeDesk {
        func reports() async -> [BridgeReport] { [] }
        func links(from first: UserID?, limit: Int) async -> LinkPage { preconditionFailure() }
        func account(of user: UserID) async -> BridgeAccount { preconditionFailure() }
        func link(_ link: Link, by source: LinkSource) async throws(BridgeRefusal) {}
        func unlink(_ user: UserID, by sources: [LinkSource]) async throws(BridgeRefusal) {}
        func choose(_ choice: BridgeChoice, of user: UserID) async throws(BridgeRefusal) {}
        func handOver(_ credential: HandedCredential) async throws(BridgeRefusal) {}
        func takes(_ kind: HandedCredential.Kind) -> Bool { false }
        func takeBackCredentials(of user: UserID) async throws(BridgeRefusal) {}
    }

    private func noTokens(_ server: ServerName) throws -> TokenSource {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("no-tokens-\(UUID().uuidString)").path
        return try TokenSource(file: TokenFile(path: path), server: server)
    }

    /// The routes of all listeners. Nothing listens, and nothing is asked.
    private func served() async throws -> [String] {
        let server = try ServerName(parsing: "x.org")
        let clock = AnchoredClock(wallMilliseconds: 0)
        let logger = Logger(label: "routes")
        let runtime = PresenceRuntime(
            instance: PresenceInstance(
                presence: PresenceEngine(server: server), federation: FederationEngine(server: server, boot: 1, seed: 1)
            ),
            clock: clock, journal: NoDisk(), delivery: NoNetwork(), boot: 1)
        let clients = ClientGateway(
            server: server, runtime: runtime,
            tokens: try noTokens(server),
            configuration: ClientGateway.Configuration(), clock: clock)
        let bridge = BridgeGateway(
            server: server, desk: NoBridge(), tokens: try noTokens(server), clock: clock, wall: { clock.now })
        let admin = AdminGateway(
            runtime: runtime, token: try #require(AdminToken("token-for-no-one-at-all")),
            others: bridge.operatorRoutes)
        let transport = try FederationTransport(
            configuration: .init(), group: MultiThreadedEventLoopGroup.singleton, clock: clock, logger: logger)
        let keys = KeyRing(
            pinned: [:], transport: transport, clock: clock, validityLimit: .hours(1), logger: logger)
        let federation = FederationGateway(
            server: server, ownKeys: OwnKeys([.generate()]), keys: keys, runtime: runtime,
            configuration: FederationGateway.Configuration(), clock: clock, logger: logger, isUser: { _ in false })
        let listing =
            clients.routes.listing + admin.routes.listing + federation.routes.listing
            + RouteTable(bridge.userRoutes).listing
        try await transport.shutdown()
        return listing
    }
}
