import Foundation
import MatrixWire
import PresenceModel
import Testing

@testable import MatrixFederation

/// Requests with something changed in them, recorded ones and ones made here: always an answer in the standard form,
/// and never a 200 where the change was in what is signed.
struct `A changed request` {
    /// What a signature covers.
    private struct Signed: Hashable {
        var origin: ServerName
        var destination: ServerName
        var key: SigningKeyID
        var signature: String
        var method: String
        var target: String
        var content: [UInt8]?
    }

    private static let name = "localhost:18448"
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Fixtures/Matrix").path

    private static func json(_ bytes: [UInt8]) throws -> JSONValue { try JSONParser.lenient.parse(bytes).value }

    /// The keys that the recordings were signed with.
    private static func pinned() throws -> KeyRing.Pinned {
        let bytes = try #require(FileManager.default.contents(atPath: "\(folder)/keys.json"))
        var pinned: KeyRing.Pinned = [:]
        for server in try json([UInt8](bytes))["verify_keys"]?.object?.members ?? [] {
            for key in server.value.object?.members ?? [] {
                let raw = try #require(key.value.string.flatMap { Base64.decode($0) })
                pinned[try ServerName(parsing: server.key), default: [:]][try SigningKeyID(parsing: key.key)] = raw
            }
        }
        return pinned
    }

    /// Transactions to the server, as they were recorded.
    private static func recorded() throws -> [PeerBench.Written] {
        var found: [PeerBench.Written] = []
        for file in ["edge_presence_in", "federation_presence_transitions", "edge_auth", "federation_mixed"] {
            let text = try String(contentsOfFile: "\(folder)/\(file).jsonl", encoding: .utf8)
            for line in text.split(separator: "\n") {
                let record = try json(Array(line.utf8))
                let headers = (record["request_headers"]?.array ?? []).compactMap(\.array)
                guard record["method"]?.string == "PUT", record["to"]?.string == name,
                    let path = record["path"]?.string, path.hasPrefix("/_matrix/federation/v1/send/"),
                    let body = record["request_body_raw"]?.string
                else { continue }
                found.append(
                    PeerBench.Written(
                        method: "PUT", target: path,
                        authorization: headers.first { $0.first?.string == "Authorization" }?.last?.string,
                        body: Array(body.utf8)))
            }
        }
        return found
    }

    /// `nil` for what cannot be read, which no signature fits.
    /// - Parameter destination: who is meant where none is named.
    private func signed(_ written: PeerBench.Written, to destination: ServerName) -> Signed? {
        guard let header = try? XMatrixHeader(parsing: written.authorization ?? "") else { return nil }
        var content: [UInt8]?
        // A GET has no content: a body that comes along is not looked at.
        if let body = written.body, written.method != "GET" {
            guard let value = try? JSONParser(duplicateKeys: .refused, numbers: .any).parse(body).value else {
                return nil
            }
            content = CanonicalJSON.encode(value)
        }
        return Signed(
            origin: header.origin, destination: header.destination ?? destination, key: header.keyID,
            signature: header.signature.map { Base64.encode($0) } ?? "", method: written.method,
            target: written.target, content: content)
    }

    private func mutate(_ bytes: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = bytes
        let place = Int.random(in: 0...bytes.count, using: &random)
        let end = min(bytes.count, place + Int.random(in: 0...4, using: &random))
        switch Int.random(in: 0..<6, using: &random) {
        case 0: bytes.insert(UInt8.random(in: 0x20...0x7E, using: &random), at: place)
        case 1: bytes.removeSubrange(place..<end)
        case 2: bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0...bytes.count, using: &random))
        case 3: bytes = Array(bytes[..<place])
        case 4: if place < bytes.count { bytes[place] ^= 1 << UInt8.random(in: 0..<7, using: &random) }
        default: if place < bytes.count { bytes[place] = UInt8.random(in: 0x20...0x7E, using: &random) }
        }
        return bytes
    }

    private func mutate(_ written: PeerBench.Written, _ random: inout SeededGenerator) -> PeerBench.Written {
        func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
        var written = written
        switch Int.random(in: 0..<8, using: &random) {
        case 0: written.method = ["GET", "POST", "DELETE", "put", "PATCH"].randomElement(using: &random) ?? "GET"
        case 1: written.target = "/" + text(mutate(Array(written.target.utf8.dropFirst()), &random))
        case 2...4:
            // Control characters do not get through HTTP.
            let header = mutate(Array((written.authorization ?? "X-Matrix").utf8), &random)
            written.authorization = text(header.map { $0 < 0x20 ? 0x20 : $0 })
        default: written.body = mutate(written.body ?? [], &random)
        }
        return written
    }

    @Test(arguments: [1, 2] as [UInt64]) func `is never taken for what it was`(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let bench = try await PeerBench(name: `A changed request`.name, pinned: try `A changed request`.pinned()) {
            $0.requestsPerSecond = 0
        }
        var sources = try `A changed request`.recorded()
        for number in 0..<20 {
            sources.append(
                try bench.signed("PUT", "/_matrix/federation/v1/send/m\(number)", from: "a.org", PeerBench.empty))
            sources.append(try bench.signed("GET", EDUOptOuts.target, from: "b.org"))
        }
        // What the signatures were made over: nothing else may be taken.
        var good: Set<Signed> = []
        for source in sources {
            let reply = try await bench.ask(source)
            if reply.status == 200, let signed = signed(source, to: bench.name) { good.insert(signed) }
        }
        #expect(good.count >= 50, "\(good.count) of \(sources.count) are good as they stand")
        var (taken, refused) = (0, 0)
        for _ in 0..<5000 {
            let written = mutate(try #require(sources.randomElement(using: &random)), &random)
            let reply = try await bench.ask(written)
            if reply.status == 200 {
                let isUnsigned = written.method == "GET" && written.authorization == nil
                let read = signed(written, to: bench.name)
                #expect(isUnsigned || read.map { good.contains($0) } ?? false, "\(written)")
                taken += 1
            } else {
                #expect([400, 401, 403, 404, 405, 413].contains(reply.status), "\(reply) for \(written)")
                #expect(reply.json["errcode"]?.string?.hasPrefix("M_") == true, "\(reply) for \(written)")
                #expect(reply.json["error"]?.string != nil, "\(reply) for \(written)")
                refused += 1
            }
        }
        #expect(taken > 20 && refused > 3000, "\(taken) taken, \(refused) refused")
        #expect(bench.gateway.bodies.used == (0, 0))
        #expect(await bench.gateway.incoming.underway == 0)
    }
}
