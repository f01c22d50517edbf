import MatrixWire
import PresenceEngine

extension MatrixErrorBody {
    /// What a user is told of a refusal: limits are named, what is not there is 404.
    init(_ refusal: PresenceEngine.Refusal) {
        switch refusal {
        case .oneself:
            self.init(.invalidParameter, "Everyone sees themselves; there is nothing to add, ask or block.")
        case .listFull(let limit):
            self.init(.forbidden, "The presence list is full: \(limit) entries.")
        case .groupsFull(let limit):
            self.init(.forbidden, "No more groups: \(limit) are the most.")
        case .roomsFull(let limit):
            self.init(.forbidden, "No more rooms for this user: \(limit) are the most.")
        case .consentsFull(let limit):
            self.init(.forbidden, "No more users can be blocked: \(limit) are the most.")
        case .noSuchEntry:
            self.init(.notFound, "This user is not on the presence list.")
        case .noSuchGroup:
            self.init(.notFound, "There is no such group.")
        case .groupExists:
            self.init(.invalidParameter, "There is a group of that name already.")
        case .noSuchRequest:
            self.init(.notFound, "This user does not wait for an answer and was not granted anything.")
        case .notVisible:
            self.init(.forbidden, "Only users on the presence list or in a shared room can be asked for.")
        }
    }
}
