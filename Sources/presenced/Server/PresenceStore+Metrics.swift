import AdminGateway
import PresenceStore

extension PresenceStore.Tally {
    /// The database's numbers.
    var metrics: [Metric] {
        [
            Metric("presenced_store_commits_total", .counter, "Transactions that ended well.", Int(clamping: commits)),
            Metric("presenced_store_failures_total", .counter, "Transactions that did not.", Int(clamping: failures)),
            Metric("presenced_store_rows_written_total", .counter, "Rows written.", Int(clamping: rowsWritten)),
            Metric("presenced_store_rows_pending", .gauge, "Rows not on disk yet.", rowsPending),
        ]
    }
}
