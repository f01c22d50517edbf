import MatrixHTTP
import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime

// The watch list: whom a user wishes to see, and lets see them. Both sides must list each other.
extension ClientGateway {
    /// `GET …/org.presenced/presence/watch` → `{"watch":["@user:server",…]}`, sorted.
    func getWatchList(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try authenticate(request)
        let list = await runtime.watchList(of: key.user)
        let document: JSONValue = ["watch": .array(list.map { .string($0.text) })]
        return .json(CanonicalJSON.encode(document))
    }

    /// `PUT …/org.presenced/presence/watch/{userId}` → `{}`, also if the entry was there. The body is not looked at.
    func putWatchEntry(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try authenticate(request)
        guard let observed = try user(in: request, at: 0) else {
            throw MatrixErrorBody(.invalidParameter, "Not a user identifier.")
        }
        do {
            try await runtime.addEntry(of: observed, for: key.user)
        } catch let refusal as PresenceEngine.EntryRefusal {
            switch refusal {
            case .oneself:
                throw MatrixErrorBody(.invalidParameter, "Everyone sees themselves; there is nothing to add.")
            case .tooManyEntries(let limit):
                throw MatrixErrorBody(.forbidden, "The watch list is full: \(limit) entries.")
            }
        } catch {
            throw .notStored
        }
        return .emptyObject
    }

    /// `DELETE …/org.presenced/presence/watch/{userId}` → `{}`, also if there was no entry.
    func deleteWatchEntry(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try authenticate(request)
        guard let observed = try user(in: request, at: 0) else { return .emptyObject }
        do {
            try await runtime.removeEntry(of: observed, for: key.user)
        } catch {
            throw .notStored
        }
        return .emptyObject
    }
}
