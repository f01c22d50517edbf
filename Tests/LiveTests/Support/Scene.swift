import AsyncHTTPClient
import Foundation
import LoopbackTLS
import MatrixWire
import NIOCore
import NIOFoundationCompat
import NIOSSL
import PresenceModel
import Synchronization

/// A folder of a test's own, an authority, and a client that trusts it. Gone when the test ends.
final class Scene: Sendable {
    let folder: String
    let authority: PrivateAuthority
    let client: HTTPClient

    init() throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("presenced-live-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        self.folder = folder.path
        authority = try PrivateAuthority(folder: folder.path)
        client = try Scene.client(trusting: authority.path)
    }

    deinit {
        try? client.syncShutdown()
        try? FileManager.default.removeItem(atPath: folder)
    }

    static func client(trusting path: String) throws -> HTTPClient {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.additionalTrustRoots = [.certificates(try NIOSSLCertificate.fromPEMFile(path))]
        return HTTPClient(
            eventLoopGroupProvider: .singleton, configuration: HTTPClient.Configuration(tlsConfiguration: tls))
    }

    // The executables stand beside the tests' own bundle.
    static var presenced: String {
        get throws { "\(try built)/presenced" }
    }

    static var presenceLab: String {
        get throws { "\(try built)/presence-lab" }
    }

    /// The folder of what was built.
    private static var built: Substring {
        get throws {
            let arguments = (try? String(contentsOfFile: "/proc/self/cmdline", encoding: .utf8)) ?? ""
            let bundle = arguments.split(separator: "\0").first { $0.contains(".xctest") }
            guard let bundle, let end = bundle.range(of: "/", options: .backwards) else {
                throw Child.Failure(description: "cannot tell where the built executables are")
            }
            return bundle[..<end.lowerBound]
        }
    }

    /// Ports that nothing listens on at this moment, below the range that outgoing connections use. No two tests get
    /// the same.
    static func freePorts(_ count: Int) throws -> [Int] {
        // A child started while a port is tried would inherit the socket, and keep the port.
        Child.starting.lock()
        defer { Child.starting.unlock() }
        var found: [Int] = []
        for _ in 0..<1000 where found.count < count {
            let port = Int.random(in: 20_000..<32_000)
            guard given.withLock({ !$0.contains(port) }), canListen(at: port) else { continue }
            given.withLock { _ = $0.insert(port) }
            found.append(port)
        }
        guard found.count == count else { throw Child.Failure(description: "no free ports") }
        return found
    }

    private static let given = Mutex<Set<Int>>([])

    private static func canListen(at port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}

/// A reply, with its body as JSON where it is that.
struct Reply: Sendable {
    var status: Int
    var headers: [String: String]
    var text: String

    var json: JSONValue { (try? JSONParser.lenient.parse(Array(text.utf8)).value) ?? .null }
    var errcode: String? { json["errcode"]?.string }
}

extension HTTPClient {
    func ask(
        _ method: String, _ url: String, token: String? = nil, headers: [(String, String)] = [], body: [UInt8]? = nil,
        timeout: TimeAmount = .seconds(60)
    ) async throws -> Reply {
        var request = HTTPClientRequest(url: url)
        request.method = .init(rawValue: method)
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let body { request.body = .bytes(body) }
        let response = try await execute(request, timeout: timeout)
        let collected = try await response.body.collect(upTo: 64 * 1024 * 1024)
        let fields = response.headers.map { ($0.name.lowercased(), $0.value) }
        return Reply(
            status: Int(response.status.code), headers: Dictionary(fields) { first, _ in first },
            text: String(buffer: collected))
    }

    func ask(_ method: String, _ url: String, token: String? = nil, json: String) async throws -> Reply {
        try await ask(method, url, token: token, body: Array(json.utf8))
    }
}
