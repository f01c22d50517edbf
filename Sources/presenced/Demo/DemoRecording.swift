import FixtureReplay
import Foundation
import MatrixWire
import PresenceModel

/// Traffic of a real Synapse to a server named ``DemoStage/names``'s south, and the keys it was signed with.
struct DemoRecording: Sendable {
    /// Transactions in the order in which they were sent.
    let transactions: [RecordedExchange]
    /// Users whom the transactions speak of, in the order of their names.
    let users: [UserID]
    /// What `federation.pinned_keys` reads: the keys of the recorded key documents.
    let pinnedKeys: String
    /// How many of the transactions verify against those keys.
    let verified: Int

    private static let files = ["federation_presence_transitions", "federation_many_users"]

    /// - Throws: ``StartFailure`` if the recordings are not there.
    init(folder: String) throws {
        do {
            let documents = try Recording(contentsOf: "\(folder)/federation_keys.jsonl").exchanges
            var keys = RecordedKeys()
            keys.takeDocuments(of: documents)
            let check = SignatureCheck(keys: keys)
            let south = DemoStage.names.south
            let all = try DemoRecording.files.flatMap { try Recording(contentsOf: "\(folder)/\($0).jsonl").exchanges }
            let sent = all.filter { $0.destination == south && $0.path.hasPrefix("/_matrix/federation/v1/send/") }
            transactions = sent.filter { $0.status == 200 }
            verified = transactions.count { check.verdict(on: $0).isVerified }
            users = DemoRecording.users(in: transactions)
            pinnedKeys = DemoRecording.pinned(documents)
        } catch {
            throw StartFailure(
                "cannot read the recorded traffic; run this in the checkout, or name its folder with --fixtures",
                ["folder": "\(folder)", "reason": "\(error)"])
        }
    }

    private static func users(in transactions: [RecordedExchange]) -> [UserID] {
        var users: Set<UserID> = []
        for transaction in transactions {
            guard case .bytes(let bytes) = transaction.body, let parsed = try? Transaction(decoding: bytes) else {
                continue
            }
            for case .presence(let edu) in parsed.edus { users.formUnion(edu.push.map(\.user)) }
        }
        return users.sorted()
    }

    private static func pinned(_ documents: [RecordedExchange]) -> String {
        var servers = JSONObject()
        for document in documents where document.path == "/_matrix/key/v2/server" {
            guard let answer = document.answer, let keys = try? ServerKeys(decoding: answer) else { continue }
            var entry = JSONObject()
            for key in keys.verifyKeys { entry[key.id.text] = .string(Base64.encode(key.key)) }
            servers[keys.serverName.text] = .object(entry)
        }
        return String(decoding: CanonicalJSON.encode(["verify_keys": .object(servers)]), as: UTF8.self)
    }
}

extension SignatureCheck.Verdict {
    fileprivate var isVerified: Bool { if case .verified = self { true } else { false } }
}
