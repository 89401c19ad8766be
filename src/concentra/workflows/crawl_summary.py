"""A crawl that is kept → its counts."""

from __future__ import annotations

from concentra.adapters.crawl_files import StoredCrawl
from concentra.collect.crawl_summary import summary_of_crawl
from concentra.model.axes import Among
from concentra.model.crawl_summary import CrawlSummary
from concentra.workflows.crawl_subjects import crawl_nodes


def summary_of(crawl: StoredCrawl) -> CrawlSummary:
    """Return the counts of a crawl.

    Raises
    ------
    UnreadableFile
        If every file of it is damaged.
    """
    rows = crawl.rows()
    nodes = crawl_nodes(crawl.manifest, rows, Among.NETWORK)
    return summary_of_crawl(nodes, crawl.manifest, damaged=rows.lost + len(rows.left_out))
